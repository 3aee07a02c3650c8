import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { run } from '../src/base/spawn.js';
import { PROJECT_ROOT } from './project-root.js';

describe('shell scripts', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-scripts-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true });
  });

  /** Puts a program before those of the machine. */
  async function provide(name: string, script: string): Promise<void> {
    await writeFile(join(dir, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  async function call(script: string, args: string[], env: Record<string, string> = {}): Promise<Outcome> {
    const path = join(PROJECT_ROOT, 'scripts', script);
    const all = { PATH: `${dir}:/usr/sbin:/usr/bin:/sbin:/bin`, ...env };
    const { exitCode, stdout, stderr } = await run(path, args, { timeoutMs: 20_000, env: all });
    return { code: exitCode, said: stdout.toString() + stderr.toString() };
  }

  describe('build-tools.sh', () => {
    const HINT = 'install Go 1.26 or later from your distribution or the official tarball and put it on PATH\n';

    it('says which Go it needs, as a skip', async () => {
      await provide('go', 'echo go1.19.8');
      expect(await call('build-tools.sh', ['crictl'])).toEqual({ code: 3, said: `Go is 1.19.8: ${HINT}` });
    });

    it('fails in CI for want of Go', async () => {
      await provide('go', 'exit 1');
      expect(await call('build-tools.sh', ['crictl'], { CI: 'true' })).toEqual({
        code: 1,
        said: `Go is too old: ${HINT}`,
      });
    });

    it('knows what it builds', async () => {
      await provide('go', 'echo go1.26.2');
      const { code, said } = await call('build-tools.sh', ['kubectl']);
      expect(code).toBe(2);
      expect(said).toContain('unknown tool "kubectl"');
    });
  });

  describe('install-packages.sh', () => {
    it('does nothing when nothing is missing', async () => {
      await provide('dpkg-query', 'printf installed');
      await provide('apt-get', 'echo called; exit 1');
      expect(await call('install-packages.sh', ['run', 'test'])).toEqual({ code: 0, said: '' });
    });

    it('installs what is missing, and only that', async () => {
      await provide('dpkg-query', 'for last; do :; done; [ "$last" = runc ] || printf installed');
      await provide('id', 'echo 0');
      await provide('apt-get', 'echo "$@" >&2');
      const { code, said } = await call('install-packages.sh', ['run']);
      expect([code, said]).toEqual([0, '-qq update\n-qq install -y --no-install-recommends runc\n']);
    });

    it('names what is missing to who is not root', async () => {
      await provide('dpkg-query', 'exit 1');
      await provide('id', 'echo 1000');
      const { code, said } = await call('install-packages.sh', ['run']);
      expect(code).toBe(1);
      expect(said).toMatch(/^packages are installed by root only, install by hand: runc conmon .+\n$/);
    });

    it('refuses a group that it does not know', async () => {
      expect(await call('install-packages.sh', ['all'])).toEqual({
        code: 2,
        said: 'unknown group "all": run, test and vm are known\n',
      });
    });
  });
});

interface Outcome {
  readonly code: number;
  readonly said: string;
}
