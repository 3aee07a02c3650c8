import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { compile } from './images/compile.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, runContainer, runPod, writeContainer, writePod, type PodFile } from './harness/pods.js';
import { patience } from './harness/settings.js';

/** What the default profile denies with EPERM, as e2e/images/programs/calls.c names it. */
const DENIED = [
  ...['keyctl', 'add_key', 'request_key', 'bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'kexec_load'],
  ...[
    'init_module',
    'swapon',
    'reboot',
    'settimeofday',
    'open_by_handle_at',
    'pivot_root',
    'mount',
    'umount2',
    'fsopen',
  ],
  ...['unshare', 'unshare-user', 'setns', 'sethostname', 'clone-newuser', 'clone-newns', 'socket-alg', 'socket-vsock'],
  ...['socket-vsock-high', 'personality'],
];
const RUNTIME_DEFAULT = { profile_type: 0 };
const JAVA = '/usr/bin/java';

describe('confinement', () => {
  let house: House;
  let pod: PodFile;
  let podId: string;
  let umask: number;
  beforeAll(async () => {
    umask = process.umask(0o077);
    house = await openHouse();
    await mkdir(join(house.scratch.dir, 'programs'));
    await writeFile(join(house.scratch.dir, 'programs', 'calls'), await compile('calls'), { mode: 0o755 });
    await house.crictl.ok('pull', BUSYBOX);
    pod = await writePod(house);
    podId = await runPod(house, pod);
  });
  afterAll(async () => {
    process.umask(umask);
    await house.close();
  });

  const host = (container_path: string, host_path: string) => ({ container_path, host_path, readonly: true });

  function confined(security_context?: object): Promise<string> {
    const fields = {
      mounts: [host('/programs', join(house.scratch.dir, 'programs')), host('/host', '/')],
      linux: security_context === undefined ? {} : { security_context },
    };
    return writeContainer(house, fields).then((container) => runContainer(house, podId, { pod, container }));
  }

  /** What the system calls of the program come to, by name. */
  async function calls(id: string): Promise<Record<string, string>> {
    const lines = (await house.crictl.ok('exec', '-s', id, '/programs/calls')).split('\n');
    return Object.fromEntries<string>(lines.map((line) => line.split(' ') as [string, string]));
  }

  it('denies dangerous calls by RuntimeDefault', async () => {
    const id = await confined({ seccomp: RUNTIME_DEFAULT });
    const outcomes = await calls(id);
    expect(outcomes).toMatchObject(Object.fromEntries(DENIED.map((name) => [name, 'EPERM'])));
    expect(outcomes).toMatchObject({ clone: 'ok', clone3: 'ENOSYS', 'socket-inet': 'ok' });
    await house.crictl.ok('rm', '-f', id);
  });

  it('lets calls pass that come with a capability', async () => {
    const id = await confined({ seccomp: RUNTIME_DEFAULT, capabilities: { add_capabilities: ['SYS_ADMIN'] } });
    const outcomes = await calls(id);
    expect(outcomes).toMatchObject({ unshare: 'ok', 'clone-newns': 'ok', clone3: 'EINVAL', mount: 'ENOENT' });
    expect(outcomes).toMatchObject({ keyctl: 'EPERM', io_uring_setup: 'EPERM', 'socket-vsock': 'EPERM' });
    await house.crictl.ok('rm', '-f', id);
  });

  it('is none where nothing is asked for', async () => {
    const id = await confined();
    const outcomes = Object.values(await calls(id));
    expect(outcomes.filter((outcome) => outcome === 'EPERM').length).toBeLessThan(DENIED.length / 2);
    expect(await house.crictl.ok('exec', '-s', id, 'sh', '-c', 'umask')).toBe('0022');
    await house.crictl.ok('rm', '-f', id);
  });

  it.each([
    ['a dynamic glibc program', ['/bin/bash', '-c', 'ls / >/dev/null && (sleep 0 | cat) && echo fine'], 'fine'],
    ['Node', [process.execPath, '-e', nodeProgram()], 'fine'],
    ['Go', [join(TOOLS, 'crictl'), '--version'], 'crictl version'],
  ])(
    'by RuntimeDefault lets %s work',
    async (_, command, expected) => {
      const id = await confined({ seccomp: RUNTIME_DEFAULT });
      expect(await house.crictl.ok('exec', '-s', id, 'chroot', '/host', ...command)).toContain(expected);
      await house.crictl.ok('rm', '-f', id);
    },
    patience(60_000),
  );

  const java = existsSync(JAVA) ? it : it.skip;
  java(`by RuntimeDefault lets Java work (skipped where ${JAVA} is not installed)`, async () => {
    const id = await confined({ seccomp: RUNTIME_DEFAULT });
    const line = ['sh', '-c', `chroot /host ${JAVA} -Xmx64m -version 2>&1`];
    expect(await house.crictl.ok('exec', '-s', id, ...line)).toContain('Runtime Environment');
    await house.crictl.ok('rm', '-f', id);
  }, patience(60_000)); // prettier-ignore

  it('refuses a profile that is none, with file and field', async () => {
    const ref = join(house.scratch.dir, 'bad.json');
    await writeFile(ref, '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"DENY"}]}');
    const create = async (path: string) => {
      const seccomp = { profile_type: 2, localhost_ref: path };
      const container = await writeContainer(house, { linux: { security_context: { seccomp } } });
      return (await house.crictl.run('create', podId, container, pod.path)).stderr;
    };
    expect(await create(ref)).toContain(`seccomp profile ${ref}: syscalls[0].action has the unknown value`);
    expect(await create(`${ref}.none`)).toContain(`cannot load seccomp profile ${ref}.none`);
  });

  it('masks nothing for procMount Unmasked, and the usual paths without a security context', async () => {
    const masked = async (security?: object) => {
      const id = await confined(security);
      const mounts = await house.crictl.ok(
        'exec',
        '-s',
        id,
        'sh',
        '-c',
        'grep -c " /proc/" /proc/self/mountinfo; true',
      );
      await house.crictl.ok('rm', '-f', id);
      return Number(mounts);
    };
    expect(await masked()).toBeGreaterThan(5);
    expect(await masked({ masked_paths: [], readonly_paths: [] })).toBe(0);
    expect(await masked({ masked_paths: ['/proc/keys'], readonly_paths: ['/proc/sys'] })).toBe(2);
  });

  it('tells the user', async () => {
    const id = await confined({
      ...{ run_as_user: { value: 1000 }, run_as_group: { value: 2000 } },
      ...{ supplemental_groups: [3000], supplemental_groups_policy: 1 },
    });
    const { status } = (await house.crictl.json('inspect', id)) as { status: { user?: object } };
    expect(status.user).toEqual({ linux: { uid: '1000', gid: '2000', supplementalGroups: ['2000', '3000'] } });
    expect(await house.crictl.ok('exec', '-s', id, 'id', '-G')).toBe('2000 3000');
    await house.crictl.ok('rm', '-f', id);
  });

  it('leaves nothing behind', async () => {
    await house.crictl.ok('rmp', '-f', podId);
    await house.assertEmpty();
  });
});

/** Threads, the file pool, and a child. */
function nodeProgram(): string {
  return `new (require('worker_threads').Worker)('0', { eval: true }).on('exit', () =>
    require('fs').readFile('/etc/hostname', () =>
      require('child_process').execFile('true', (error) => console.log(error ?? 'fine'))))`;
}
