import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { describeError } from '../base/errors.js';
import { addChain, checkChain, delChain, requestConfig, type Attachment } from './chain.js';
import type { JsonObject } from './json.js';
import { parseNetworkConfig } from './network-config.js';
import type { PluginContext } from './run-plugin.js';
import { RESULT, Scratch } from './testing.js';

describe('a chain of plugins', () => {
  let scratch: Scratch;
  let context: PluginContext;

  beforeEach(async () => {
    scratch = await Scratch.make();
    context = { binDirs: ['/nowhere', scratch.binDir], timeoutMs: 500 };
  });

  afterEach(async () => {
    await scratch[Symbol.asyncDispose]();
  });

  function attach(
    cniVersion = '1.0.0',
    plugins: JsonObject[] = [{ type: 'one' }, { type: 'two' }],
    more = {},
  ): Attachment {
    const network = parseNetworkConfig({ cniVersion, name: 'pods', plugins, ...more });
    const capabilities = { mac: '02:00:00:00:00:01', aliases: ['web'] };
    return { network, containerId: 'c1', netnsPath: '/run/netns/a', ifname: 'eth0', args: 'A=b', capabilities };
  }

  it('gives each plugin the environment, its own configuration and the result before it', async () => {
    await scratch.good('one', { ...RESULT, vendor: 'kept' });
    await scratch.good('two');
    const plugins = [
      { type: 'one', capabilities: { mac: true }, mtu: 1400, args: { x: 1 } },
      { type: 'two', prevResult: {}, runtimeConfig: {}, 'cni.dev/valid-attachments': [] },
    ];
    await addChain(context, attach('1.0.0', plugins));
    const [first, second] = await scratch.calls();
    expect(first?.env).toEqual({
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: '/run/netns/a',
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'A=b',
      CNI_PATH: `/nowhere:${scratch.binDir}`,
      PLUGIN: 'one',
    });
    expect(first?.config).toEqual({
      type: 'one',
      mtu: 1400,
      args: { x: 1 },
      cniVersion: '1.0.0',
      name: 'pods',
      runtimeConfig: { mac: '02:00:00:00:00:01' },
    });
    const prevResult = { ...RESULT, vendor: 'kept' };
    expect(second?.config).toEqual({ type: 'two', cniVersion: '1.0.0', name: 'pods', prevResult });
  });

  it('hands on results in the version of the network', async () => {
    await scratch.good('one');
    await scratch.good('two');
    await addChain(context, attach('0.3.1'));
    const { prevResult } = (await scratch.calls())[1]?.config ?? {};
    expect(prevResult).toMatchObject({ cniVersion: '0.3.1', ips: [{ version: '4', address: '192.0.2.7/24' }] });
  });

  it('removes in reverse with the final result, which old versions do not know', async () => {
    await scratch.good('one');
    await scratch.good('two');
    await delChain(context, attach('0.4.0'), { prevResult: RESULT });
    await delChain(context, attach('0.3.1'), { prevResult: RESULT });
    const calls = await scratch.calls();
    expect(calls.map(({ plugin, config }) => [plugin, config['prevResult']])).toEqual([
      ['two', RESULT],
      ['one', RESULT],
      ['two', undefined],
      ['one', undefined],
    ]);
  });

  it('stops removing at an error, but not where the plugin does not know the container', async () => {
    await scratch.good('one');
    await scratch.plugin('two', `echo '{"code": 3, "msg": "unknown"}'; exit 1`);
    await delChain(context, attach(), { prevResult: undefined });
    expect(await scratch.sequence()).toEqual(['DEL two', 'DEL one']);
    await scratch.plugin('two', `echo '{"code": 5, "msg": "disk"}'; exit 1`);
    await expect(delChain(context, attach(), { prevResult: undefined })).rejects.toMatchObject({ pluginCode: 5 });
    expect(await scratch.sequence()).toEqual(['DEL two', 'DEL one', 'DEL two']);
  });

  it('checks where it may', async () => {
    await scratch.good('one');
    await scratch.good('two');
    await checkChain(context, attach('0.3.1'), { prevResult: RESULT });
    await checkChain(context, attach('1.0.0', undefined, { disableCheck: true }), { prevResult: RESULT });
    await checkChain(context, attach(), { prevResult: undefined });
    expect(await scratch.sequence()).toEqual([]);
    await checkChain(context, attach(), { prevResult: RESULT });
    expect(await scratch.sequence()).toEqual(['CHECK one', 'CHECK two']);
  });

  it.each([
    [
      `echo '{"code": 11, "msg": "busy", "details": "no lease yet"}'; exit 1`,
      'unavailable',
      11,
      'busy: no lease yet (code 11)',
    ],
    [`echo '{"code": 7, "msg": "bad subnet"}'; exit 1`, 'failed-precondition', 7, 'bad subnet (code 7)'],
    [`echo '{"code": 100, "msg": "x"}'; exit 1`, 'internal', 100, 'x (code 100)'],
    [`echo '{"code": 100}'; exit 1`, 'internal', 100, 'no message (code 100)'],
    [`echo '{"code": 100, "msg": "on stderr"}' >&2; exit 1`, 'internal', 100, 'on stderr (code 100)'],
    [`echo '{"code": "7"}'; exit 1`, 'internal', undefined, 'exit code 1: {"code": "7"}'],
    ['echo "panic: oops" >&2; exit 2', 'internal', undefined, 'exit code 2: panic: oops'],
    [`printf 'a\\033[31mb'; exit 1`, 'internal', undefined, 'exit code 1: a [31mb'],
    ['kill -SEGV $$', 'internal', undefined, 'exit code 139: no output'],
    ['echo not json', 'internal', undefined, 'the result is not JSON'],
    ['echo "[]"', 'internal', undefined, 'the result is not a JSON object'],
    ['', 'internal', undefined, 'it printed: no output'],
    [`echo '{"cniVersion": "0.2.0"}'`, 'internal', undefined, 'cniVersion 0.2.0 is not supported'],
    [`echo '{"ips": [{"address": "x"}]}'`, 'internal', undefined, 'ips[0].address "x"'],
    ['head -c 3000000 /dev/zero', 'internal', undefined, 'printed a result larger than 1 MiB'],
    ['sleep 30', 'deadline-exceeded', undefined, 'the deadline passed'],
  ])('says what went wrong in %j', async (body, code, pluginCode, message) => {
    await scratch.plugin('one', body);
    const error = await addChain(context, attach()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect((error as { pluginCode?: number }).pluginCode).toBe(pluginCode);
    expect((error as Error).message).toContain('cni plugin "one" ADD on network "pods"');
    expect(describeError(error)).toContain(message);
  });

  it('names a plugin that is nowhere, or is no program', async () => {
    await expect(addChain(context, attach())).rejects.toMatchObject({
      code: 'not-found',
      message: `cni plugin "one" ADD on network "pods": no such program in /nowhere, ${scratch.binDir}`,
    });
  });

  it('ends the plugin when the caller goes away', async () => {
    await scratch.plugin('one', 'sleep 30');
    const caller = new AbortController();
    const added = addChain({ ...context, timeoutMs: 20_000 }, attach(), caller.signal);
    setTimeout(() => caller.abort(), 100);
    await expect(added).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('does not let a plugin name the network or version', () => {
    const { network } = attach('1.0.0', [{ type: 'one', name: 'other', cniVersion: '9.9.9' }]);
    const [plugin] = network.plugins;
    expect(requestConfig(network, plugin ?? { type: '' }, {})).toEqual({
      type: 'one',
      name: 'pods',
      cniVersion: '1.0.0',
    });
  });
});
