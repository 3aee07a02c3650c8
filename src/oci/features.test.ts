import { readFile, rename } from 'node:fs/promises';

import { describe, expect, it } from '@jest/globals';

import { runOk } from '../base/spawn.js';
import { useScratch } from '../base/testing.js';
import { hasMountSetattrSync } from '../base/sys/calls.js';
import { HostFeatures } from './host-features.js';
import { FeatureReader, parseFeatures } from './features.js';
import { servedFeatures } from './served-features.js';
import { ownRuntime, RUNC } from './testing.js';

const scratch = useScratch('features');

describe('what a runtime can do', () => {
  it("is runc's own word", async () => {
    const { recursiveReadOnly, userNamespaces, unknown } = await new FeatureReader(RUNC).read();
    expect({ recursiveReadOnly, unknown }).toEqual({ recursiveReadOnly: true, unknown: undefined });
    const { stdout } = await runOk(RUNC, ['features'], { timeoutMs: 5_000 });
    expect(userNamespaces).toBe(/"idmap":\s*{\s*"enabled":\s*true/.test(stdout.toString()));
  });

  it('is nothing special without the command', async () => {
    expect(await new FeatureReader('/usr/bin/crun').read()).toEqual({
      ...{ recursiveReadOnly: false, userNamespaces: false },
      unknown: 'it has no features command: unknown command features',
    });
    expect(await new FeatureReader(scratch.path('none')).read()).toMatchObject({ recursiveReadOnly: false });
  });

  it('is asked once a file, and again for another one', async () => {
    const answer = (options: string): string =>
      `echo asked >> ${scratch.path('calls')}; echo '{"mountOptions":[${options}]}'`;
    const path = await scratch.script('runtime', answer('"ro"'));
    const reader = new FeatureReader(path);
    const both = await Promise.all([reader.read(), reader.read()]);
    expect([...both, await reader.read()].map(({ recursiveReadOnly }) => recursiveReadOnly)).toEqual([
      false,
      false,
      false,
    ]);
    await rename(await scratch.script('newer', answer('"ro","rro"')), path);
    expect(await reader.read()).toEqual({ recursiveReadOnly: true, userNamespaces: false });
    expect(await readFile(scratch.path('calls'), 'utf8')).toBe('asked\nasked\n');
  });

  it.each([
    ['no JSON', false, false],
    ['[]', false, false],
    ['null', false, false],
    ['{"mountOptions":"rro","linux":null}', false, false],
    ['{"mountOptions":["rro"],"linux":{"namespaces":["user"]}}', true, false],
    ['{"linux":{"namespaces":["user"],"mountExtensions":{"idmap":{"enabled":true}}}}', false, true],
    ['{"linux":{"namespaces":["mount"],"mountExtensions":{"idmap":{"enabled":true}}}}', false, false],
    ['{"linux":{"namespaces":["user"],"mountExtensions":{"idmap":{"enabled":"true"}}}}', false, false],
  ])('is read from %s', (text, recursiveReadOnly, userNamespaces) => {
    expect(parseFeatures(text)).toMatchObject({ recursiveReadOnly, userNamespaces });
  });
});

describe('what is served', () => {
  const served = (path: string) => servedFeatures(ownRuntime(scratch, { path }), new HostFeatures(scratch.root));

  it('needs the runtime and the kernel', async () => {
    const runc = await served(RUNC);
    expect(runc.recursiveReadOnly === '').toBe(hasMountSetattrSync());
  });

  it('says what is missing', async () => {
    const path = await scratch.script('runtime', `echo '{}'`);
    expect(await served(path)).toMatchObject({
      recursiveReadOnly: `${path} does not have it`,
    });
    const crun = await served('/usr/bin/crun');
    expect(crun.recursiveReadOnly).toBe(
      '/usr/bin/crun is not known to: it has no features command: unknown command features',
    );
  });
});
