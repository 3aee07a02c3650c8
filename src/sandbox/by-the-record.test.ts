import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { newId } from '../base/ids.js';
import { mount } from '../base/sys/sys.js';
import { useScratch } from '../base/testing.js';
import { ownRuntime, RUNC, testRuntimes } from '../oci/testing.js';
import { pauseProvider, type PauseImages } from './pause-provider.js';
import { recoverSandboxes } from './recover.js';
import { removeSandbox } from './remove.js';
import { runSandbox } from './run.js';
import { stopSandbox } from './stop.js';
import { NO_IMAGES, PAUSE, podConfig, World } from './testing.js';

const scratch = useScratch('records');
let world: World;

beforeEach(async () => {
  world = await World.make(scratch);
});

const start = (): Promise<string> => runSandbox(world.context, podConfig(), newId());
const statusOf = (id: string) => world.context.store.find(id).status;

describe('what was made by another configuration', () => {
  it('is given back by its own record', async () => {
    const id = await start();
    const { record } = world.context.store.find(id);
    expect(record).toMatchObject({
      ...{ handler: 'test', pause: { kind: 'built-in' }, stateDir: scratch.path('state') },
      runtime: { path: RUNC, root: scratch.path('runtime'), cgroupDriver: 'cgroupfs' },
    });
    const other = ownRuntime(scratch, { root: scratch.path('other-runtime'), path: '/no/such/runtime' });
    const context = await world.restart({
      runtimes: testRuntimes(scratch, { other }),
      settings: { stateDir: scratch.path('other'), netnsDir: scratch.path('other-netns'), cgroupParent: '/other' },
    });
    await recoverSandboxes(context);
    expect(statusOf(id)).toMatchObject({ state: 'ready' });
    await removeSandbox(context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('by an older version goes by what is configured', async () => {
    const id = await start();
    await world.forget(id, 'runtime', 'pause', 'stateDir');
    const context = await world.restart();
    await recoverSandboxes(context);
    await removeSandbox(context, id);
    expect(await world.leftovers()).toEqual([]);
  });

  it('as its pause was of an image, is unmounted, and its image kept until then', async () => {
    const calls: string[] = [];
    const images: PauseImages = {
      ...NO_IMAGES,
      resolve: () => ({ id: 'sha256:1', config: { entrypoint: ['/pause', '-P'], cmd: [], env: [] } }),
      mountRootfs: async ({ target }) => {
        await mount({ source: 'tmpfs', target, type: 'tmpfs' });
        await copyFile(PAUSE, join(target, 'pause'));
        for (const name of ['proc', 'dev']) await mkdir(join(target, name));
      },
      unmountRootfs: (options) => NO_IMAGES.unmountRootfs(options),
      adopt: (owner, image) => void calls.push(`${owner} ${image}`),
      adoptUnknown: (owner) => void calls.push(`${owner} unknown`),
    };
    await world.restart({ pause: pauseProvider({ image: 'pause', command: '' }, images) });
    const [id, old] = [await start(), await start()];
    await world.forget(old, 'pause');
    expect(world.context.store.find(id).record.pause).toEqual({ kind: 'image', imageId: 'sha256:1' });
    const context = await world.restart({ pause: pauseProvider({ image: '', command: PAUSE }, images) });
    await recoverSandboxes(context);
    expect(calls.sort()).toEqual([`${id} sha256:1`, `${old} unknown`].sort());
    for (const each of [id, old]) await removeSandbox(context, each);
    expect(await world.leftovers()).toEqual([]);
  });
});

describe('damaged state of the runtime', () => {
  it.each(['', '{}', '{"id":"x","init_process_pid":1}'])(
    '(%j) does not keep a sandbox from being removed',
    async (text) => {
      const id = await start();
      await writeFile(scratch.path('runtime', id, 'state.json'), text);
      await stopSandbox(world.context, id);
      await removeSandbox(world.context, id);
      expect(await world.leftovers()).toEqual([]);
    },
  );
});
