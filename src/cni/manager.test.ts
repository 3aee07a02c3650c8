import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { pod, RESULT, Scratch } from './testing.js';

const FAIL_ADD = `[ "$CNI_COMMAND" != ADD ] || { echo '{"code": 11, "msg": "busy"}'; exit 1; }`;

describe('CniManager', () => {
  let scratch: Scratch;

  beforeEach(async () => {
    scratch = await Scratch.make();
    await scratch.good('one');
    await scratch.good('two');
    await network();
  });

  afterEach(async () => {
    await scratch[Symbol.asyncDispose]();
  });

  async function network(more: object = {}): Promise<void> {
    const plugins = [{ type: 'one' }, { type: 'two' }];
    await scratch.conf('10-pods.conflist', { cniVersion: '1.0.0', name: 'pods', plugins, ...more });
  }

  it('adds the network, and says what the pod got', async () => {
    const manager = await scratch.manager();
    const request = pod();
    const got = await manager.setUp(request);
    expect(got).toMatchObject({ ips: ['192.0.2.7'], network: 'pods', result: RESULT });
    const calls = await scratch.calls();
    expect(calls.map(({ plugin, env }) => `${plugin} ${env['CNI_IFNAME']}`)).toEqual(['one eth0', 'two eth0']);
    expect(calls[0]?.env['CNI_ARGS']).toContain(`K8S_POD_INFRA_CONTAINER_ID=${request.sandboxId};K8S_POD_UID=6f1c`);
    expect(await manager.records()).toEqual([request.sandboxId]);
    await expect(manager.setUp(request)).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('has the intent on disk before the first plugin runs', async () => {
    const see = `[ "$CNI_COMMAND" != ADD ] || cp -r ${scratch.recordDir} ${scratch.root}/seen`;
    await scratch.plugin('one', `${see}; printf '%s' '${JSON.stringify(RESULT)}'`);
    const manager = await scratch.manager();
    const request = pod({ mac: '02:00:00:00:00:01' });
    await manager.setUp(request);
    const seen = JSON.parse(await readFile(join(scratch.root, 'seen', `${request.sandboxId}.json`), 'utf8')) as object;
    expect(seen).toMatchObject({
      version: 1,
      netnsPath: request.netnsPath,
      capabilities: { mac: '02:00:00:00:00:01' },
      attachments: [{ ifname: 'eth0', network: { name: 'pods', plugins: [{ type: 'one' }, { type: 'two' }] } }],
    });
  });

  it('removes with the configuration and result of the ADD, whatever the directory says by now', async () => {
    const before = await scratch.manager();
    const request = pod();
    await before.setUp(request);
    before.close();
    await network({ name: 'other', plugins: [{ type: 'missing' }] });
    const after = await scratch.manager();
    expect(await after.records()).toEqual([request.sandboxId]);

    await after.tearDown(request.sandboxId, request.netnsPath);

    expect(await scratch.sequence()).toEqual(['ADD one', 'ADD two', 'DEL two', 'DEL one']);
    const last = (await scratch.calls()).filter(({ command }) => command === 'DEL');
    expect(last[0]?.config).toMatchObject({ name: 'pods', prevResult: RESULT });
    expect(last.map(({ env }) => env['CNI_NETNS'])).toEqual(['', '']);
    expect(await after.records()).toEqual([]);
  });

  it('finds the plugins where they were, though the directories are others by now', async () => {
    const before = await scratch.manager();
    const request = pod();
    await before.setUp(request);
    before.close();
    const after = await scratch.manager({ binDirs: ['/no/such/directory'] });
    await after.tearDown(request.sandboxId, request.netnsPath);
    expect(await scratch.sequence()).toEqual(['ADD one', 'ADD two', 'DEL two', 'DEL one']);
    expect((await scratch.calls()).at(-1)?.env['CNI_PATH']).toMatch(/:\/no\/such\/directory$/);
    expect(await after.records()).toEqual([]);
  });

  it('tells plugins of a namespace that is still there, not of the file that a lost pin leaves', async () => {
    const manager = await scratch.manager();
    const [alive, lost] = [pod({ netnsPath: '/proc/self/ns/net' }), pod({ netnsPath: join(scratch.root, 'pin') })];
    await writeFile(lost.netnsPath, '');
    for (const { sandboxId, netnsPath } of [alive, lost]) {
      await manager.setUp({ ...alive, sandboxId });
      await manager.tearDown(sandboxId, netnsPath);
    }
    const paths = (await scratch.calls()).filter(({ command, plugin }) => command === 'DEL' && plugin === 'one');
    expect(paths.map(({ env }) => env['CNI_NETNS'])).toEqual(['/proc/self/ns/net', '']);
  });

  it('takes back a failed ADD with DEL and keeps no record', async () => {
    await scratch.plugin('two', FAIL_ADD);
    const manager = await scratch.manager();
    await expect(manager.setUp(pod())).rejects.toMatchObject({ code: 'unavailable', plugin: 'two', pluginCode: 11 });
    expect(await scratch.sequence()).toEqual(['ADD one', 'ADD two', 'DEL two', 'DEL one']);
    expect(await manager.records()).toEqual([]);
  });

  it('keeps the record where DEL fails as well, until a DEL works', async () => {
    await scratch.plugin('two', `echo '{"code": 11, "msg": "busy"}'; exit 1`);
    const manager = await scratch.manager();
    const request = pod();
    await expect(manager.setUp(request)).rejects.toMatchObject({ message: expect.stringContaining('two" ADD') });
    expect(await manager.records()).toEqual([request.sandboxId]);
    await expect(manager.tearDown(request.sandboxId, undefined)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await manager.records()).toEqual([request.sandboxId]);
    await scratch.good('two');
    await manager.tearDown(request.sandboxId, undefined);
    expect(await manager.records()).toEqual([]);
  });

  it('takes back an ADD whose caller went away', async () => {
    await scratch.plugin('two', '[ "$CNI_COMMAND" != ADD ] || sleep 30');
    const manager = await scratch.manager();
    const caller = new AbortController();
    setTimeout(() => caller.abort(), 300);
    await expect(manager.setUp(pod(), caller.signal)).rejects.toMatchObject({ code: 'cancelled' });
    expect(await scratch.sequence()).toEqual(['ADD one', 'ADD two', 'DEL two', 'DEL one']);
    expect(await manager.records()).toEqual([]);
  });

  it('refuses a result without an address for the pod, after DEL', async () => {
    await scratch.good('two', { interfaces: [{ name: 'cni0' }], ips: [{ address: '192.0.2.1/24', interface: 0 }] });
    const manager = await scratch.manager();
    await expect(manager.setUp(pod())).rejects.toThrow('network "pods" gave eth0 no address');
    expect((await scratch.sequence()).slice(2)).toEqual(['DEL two', 'DEL one']);
  });

  it.each([
    { name: 'a;b' },
    { sandboxId: '../x' },
    { portMappings: [{ protocol: 'tcp', containerPort: 1, hostPort: 70_000, hostIp: '' }] as const },
  ])('refuses %j before it runs or writes anything', async (more) => {
    const manager = await scratch.manager();
    await expect(manager.setUp(pod(more))).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(await scratch.calls()).toEqual([]);
    expect(await manager.records()).toEqual([]);
  });

  it('never runs ADD and DEL of one sandbox side by side', async () => {
    const step = `echo "+$CNI_COMMAND" >> ${scratch.root}/steps; sleep 0.1; echo "-$CNI_COMMAND" >> ${scratch.root}/steps`;
    await scratch.plugin('one', `${step}; printf '%s' '${JSON.stringify(RESULT)}'`);
    const manager = await scratch.manager();
    const request = pod();
    await Promise.all([
      manager.setUp(request),
      manager.tearDown(request.sandboxId, undefined),
      manager.tearDown(request.sandboxId, undefined),
    ]);
    expect(await readFile(join(scratch.root, 'steps'), 'utf8')).toBe('+ADD\n-ADD\n+DEL\n-DEL\n');
  });

  it('is content with a sandbox that has nothing', async () => {
    const manager = await scratch.manager();
    await manager.tearDown(pod().sandboxId, undefined);
    await manager.check(pod().sandboxId);
    expect(await scratch.calls()).toEqual([]);
  });

  it('sets an unreadable record aside and still frees what the default network has', async () => {
    const manager = await scratch.manager();
    const { sandboxId } = pod();
    await writeFile(join(scratch.recordDir, `${sandboxId}.json`), 'garbage');
    await manager.tearDown(sandboxId, undefined);
    expect(await scratch.sequence()).toEqual(['DEL two', 'DEL one']);
    expect((await scratch.calls())[0]?.env['CNI_CONTAINERID']).toBe(sandboxId);
    expect(await manager.records()).toEqual([]);
    expect(await readFile(join(scratch.recordDir, `${sandboxId}.json.corrupt`), 'utf8')).toBe('garbage');
  });

  it('checks with the result of the ADD', async () => {
    const manager = await scratch.manager();
    const request = pod();
    await manager.setUp(request);
    await manager.check(request.sandboxId);
    const checks = (await scratch.calls()).filter(({ command }) => command === 'CHECK');
    expect(checks.map(({ plugin }) => plugin)).toEqual(['one', 'two']);
    expect(checks[1]?.config['prevResult']).toEqual(RESULT);
  });

  it('collects garbage only where 1.1 allows it, naming every attachment that lives', async () => {
    const manager = await scratch.manager();
    const request = pod();
    await manager.setUp(request);
    await manager.gc();
    await network({ cniVersions: ['1.1.0'], disableGC: true });
    await manager.refresh();
    await manager.gc();
    expect((await scratch.sequence()).filter((call) => call.startsWith('GC'))).toEqual([]);

    await network({ cniVersions: ['1.1.0'] });
    await manager.refresh();
    await scratch.plugin('one', '[ "$CNI_COMMAND" != GC ] || exit 1');
    await expect(manager.gc()).rejects.toThrow('cni plugin "one" GC on network "pods"');

    const calls = (await scratch.calls()).filter(({ command }) => command === 'GC');
    expect(calls.map(({ plugin }) => plugin)).toEqual(['one', 'two']);
    expect(calls[1]?.config).toEqual({
      type: 'two',
      name: 'pods',
      cniVersion: '1.1.0',
      'cni.dev/valid-attachments': [{ containerID: request.sandboxId, ifname: 'eth0' }],
    });
    expect(calls[0]?.env['CNI_CONTAINERID']).toBeUndefined();
  });

  it('uses a configuration that came a moment ago', async () => {
    await rm(join(scratch.confDir, '10-pods.conflist'));
    const manager = await scratch.manager();
    await expect(manager.setUp(pod())).rejects.toMatchObject({ code: 'failed-precondition' });
    await network();
    expect(await manager.setUp(pod())).toMatchObject({ network: 'pods' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await scratch.conf('05-first.conflist', { cniVersion: '1.0.0', name: 'first', plugins: [{ type: 'one' }] });
    expect(await manager.setUp(pod())).toMatchObject({ network: 'first' });
  });

  it('says which plugin cannot be run before it runs any, and keeps no record', async () => {
    const manager = await scratch.manager();
    await chmod(join(scratch.binDir, 'two'), 0o644);
    await expect(manager.setUp(pod())).rejects.toMatchObject({
      code: 'failed-precondition',
      message: expect.stringContaining('"two"'),
    });
    expect(await scratch.calls()).toEqual([]);
    expect(await manager.records()).toEqual([]);
  });
});
