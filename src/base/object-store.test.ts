import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { dataLoss } from './errors.js';
import { newId } from './ids.js';
import { silentLogger } from './log.js';
import { ObjectStore } from './object-store.js';
import { runOk } from './spawn.js';
import { mount, unmount } from './sys/sys.js';
import { rejection, useScratch } from './testing.js';

interface Record {
  readonly id: string;
  readonly name: string;
}

interface Status {
  readonly state: string;
}

const scratch = useScratch('store');

function open(): Promise<ObjectStore<Record, Status>> {
  return ObjectStore.open<Record, Status>({
    kind: 'thing',
    dir: scratch.path('things'),
    quarantineDir: scratch.path('quarantine'),
    version: 4,
    logger: silentLogger(),
    parse: (record, status) => {
      if (typeof status['state'] !== 'string') throw dataLoss('no state');
      return { record: record as unknown as Record, status: { state: status['state'] } };
    },
  });
}

async function openWithOne(): Promise<{ store: ObjectStore<Record, Status>; id: string; dir: string }> {
  const store = await open();
  const id = newId();
  await store.create({ id, name: 'one' }, { state: 'new' });
  return { store, id, dir: store.dirOf(id) };
}

async function replace(path: string, make: (path: string) => Promise<unknown>): Promise<void> {
  await rm(path);
  await make(path);
}

const things = (): Promise<string[]> => readdir(scratch.path('things'));

describe('an object', () => {
  it('is there for the next run as the last one left it', async () => {
    const { store, id } = await openWithOne();
    await store.update(id, () => ({ state: 'used' }));
    const again = await open();
    expect(again.list()).toEqual([{ record: { id, name: 'one' }, status: { state: 'used' } }]);
    expect(again.get(id)).toEqual(store.get(id));
    await again.update(id, ({ state }) => ({ state: `${state} twice` }));
    expect((await open()).get(id)?.status).toEqual({ state: 'used twice' });
  });

  it('is gone with its files once deleted, also the second time', async () => {
    const { store, id, dir } = await openWithOne();
    await writeFile(join(dir, 'other'), 'x');
    await store.delete(id);
    await store.delete(id);
    expect(store.list()).toEqual([]);
    expect(await things()).toEqual([]);
    expect((await open()).list()).toEqual([]);
    expect(await rejection(store.update(id, () => ({ state: 'x' })))).toMatchObject({ code: 'not-found' });
  });

  it('is immutable as readers see it', async () => {
    const { store, id } = await openWithOne();
    const before = store.get(id);
    await store.update(id, () => ({ state: 'used' }));
    expect(before?.status.state).toBe('new');
    expect(Object.isFrozen(store.get(id))).toBe(true);
  });
});

describe('update', () => {
  it('makes changes of one object follow each other', async () => {
    const { store, id } = await openWithOne();
    await Promise.all([1, 2, 3].map((n) => store.update(id, ({ state }) => ({ state: `${state}${n}` }))));
    expect(store.get(id)?.status.state).toBe('new123');
  });

  it('writes nothing for a change that changes nothing', async () => {
    const { store, id, dir } = await openWithOne();
    const before = await stat(join(dir, 'status.json'));
    await store.update(id, (status) => status);
    expect((await stat(join(dir, 'status.json'))).ino).toBe(before.ino);
  });

  it('shows nothing that is not on disk, and goes on after a failure', async () => {
    const { store, id, dir } = await openWithOne();
    await mount({ source: 'tmpfs', target: dir, type: 'tmpfs', data: 'size=4k,nr_inodes=1' });
    const error = await rejection(store.update(id, () => ({ state: 'used' })));
    await unmount(dir);
    expect(error.code).toBe('ENOSPC');
    expect(store.get(id)?.status.state).toBe('new');
    const thrown = store.update(id, () => {
      throw dataLoss('a bad change');
    });
    await expect(thrown).rejects.toMatchObject({ code: 'data-loss' });
    await store.update(id, () => ({ state: 'used' }));
    expect(store.get(id)?.status.state).toBe('used');
  });

  it('lets an end come though the disk is full, and only then', async () => {
    const { store, id, dir } = await openWithOne();
    const end = () => store.update(id, () => ({ state: 'ended' }), { evenIfFull: true });
    await mount({ source: 'tmpfs', target: dir, type: 'tmpfs', data: 'size=4k,nr_inodes=1' });
    await end();
    await unmount(dir);
    expect(store.get(id)?.status.state).toBe('ended');
    expect((await open()).get(id)?.status.state).toBe('new');
    await rm(dir, { recursive: true });
    await writeFile(dir, '');
    expect((await rejection(store.update(id, () => ({ state: 'more' }), { evenIfFull: true }))).code).toBe('ENOTDIR');
    expect(store.get(id)?.status.state).toBe('ended');
  });

  it('comes after a deletion that was asked for first', async () => {
    const { store, id } = await openWithOne();
    const deleting = store.delete(id);
    await expect(store.update(id, () => ({ state: 'late' }))).rejects.toMatchObject({ code: 'not-found' });
    await deleting;
    expect(await things()).toEqual([]);
  });
});

describe('watch', () => {
  it('tells of every change in order, as it is seen by readers, until told to stop', async () => {
    const store = await open();
    const seen: string[] = [];
    const stop = store.watch(({ before, after }) => {
      expect(store.list()).toEqual(after === undefined ? [] : [after]);
      seen.push(`${before?.status.state ?? 'none'} to ${after?.status.state ?? 'none'}`);
    });
    const id = newId();
    await store.create({ id, name: 'one' }, { state: 'new' });
    await store.update(id, (status) => status);
    await Promise.all(['a', 'b'].map((state) => store.update(id, () => ({ state }))));
    await store.delete(id);
    await store.delete(id);
    stop();
    await store.create({ id: newId(), name: 'two' }, { state: 'new' });
    expect(seen).toEqual(['none to new', 'new to a', 'a to b', 'b to none']);
  });
});

describe('find', () => {
  it('takes an id or a unique prefix of one', async () => {
    const store = await open();
    const ids = ['a', 'b'].map((letter) => `abc${letter}`.padEnd(64, '0'));
    for (const id of ids) await store.create({ id, name: id }, { state: 'new' });
    expect(store.find(ids[0] ?? '').record.id).toBe(ids[0]);
    expect(store.find('abcb').record.id).toBe(ids[1]);
    expect(() => store.find('abc')).toThrow('the thing id "abc" is ambiguous: 2 ids begin with it');
    expect(() => store.find('')).toThrow('the thing id is empty');
    expect(() => store.find('bc')).toThrow('thing "bc" does not exist');
    expect(() => store.find('a'.repeat(15 << 20))).toThrow(/^thing "a+…\[\d+ characters cut\]…a+" does not exist$/);
    expect(store.get('abcb')).toBeUndefined();
  });
});

describe('what a crash leaves', () => {
  it('half-way in a creation is removed', async () => {
    const { dir } = await openWithOne();
    await rm(join(dir, 'record.json'));
    await mkdir(scratch.path('things', newId()));
    expect((await open()).list()).toEqual([]);
    expect(await things()).toEqual([]);
  });

  it('half-way in a deletion is removed', async () => {
    await openWithOne();
    const doomed = scratch.path('things', `.${newId()}.removed`);
    await mkdir(doomed);
    await writeFile(join(doomed, 'status.json'), '{}');
    const store = await open();
    expect(store.list()).toHaveLength(1);
    expect(await things()).toEqual(store.list().map(({ record }) => record.id));
  });

  it('of a version that did not write whose a status is, is taken for what it was', async () => {
    const { id, dir } = await openWithOne();
    await writeFile(join(dir, 'status.json'), '{"version":4,"state":"old"}');
    expect((await open()).get(id)?.status).toEqual({ state: 'old' });
  });

  it('half-way in an update is the old status', async () => {
    const { id, dir } = await openWithOne();
    await writeFile(join(dir, '.status.json.abc.tmp'), '{"version":4,"sta');
    expect((await open()).get(id)?.status).toEqual({ state: 'new' });
  });
});

describe('what cannot be read', () => {
  it.each([
    ['a status cut short', (dir: string) => writeFile(join(dir, 'status.json'), '{"version":4')],
    ['no status', (dir: string) => rm(join(dir, 'status.json'))],
    ['an empty record', (dir: string) => writeFile(join(dir, 'record.json'), '')],
    ['a later version', (dir: string) => writeFile(join(dir, 'status.json'), '{"version":5,"state":"new"}')],
    ['a status of no state', (dir: string) => writeFile(join(dir, 'status.json'), '{"version":4}')],
    [
      'a pipe',
      (dir: string) => replace(join(dir, 'status.json'), (path) => runOk('mkfifo', [path], { timeoutMs: 5_000 })),
    ],
    ['a directory', (dir: string) => replace(join(dir, 'record.json'), (path) => mkdir(path))],
    ['a link to nothing', (dir: string) => replace(join(dir, 'record.json'), (path) => symlink('/no/such', path))],
    [
      'the status of another',
      (dir: string) => writeFile(join(dir, 'status.json'), `{"version":4,"state":"new","id":"${newId()}"}`),
    ],
    ['the record of another', (dir: string) => writeFile(join(dir, 'record.json'), `{"version":4,"id":"${newId()}"}`)],
  ])('is moved aside: %s', async (_, damage) => {
    const { store, id, dir } = await openWithOne();
    const good = newId();
    await store.create({ id: good, name: 'two' }, { state: 'new' });
    await damage(dir);
    const again = await open();
    expect(again.list().map(({ record }) => record.id)).toEqual([good]);
    expect(await things()).toEqual([good]);
    const [kept = ''] = await readdir(scratch.path('quarantine'));
    expect(kept).toMatch(new RegExp(`^thing-${id}-\\d+$`));
    expect(await readdir(scratch.path('quarantine', kept))).toEqual(await readdir(scratch.path('quarantine', kept)));
  });

  it.each(['notes.txt', 'x'.repeat(255), 'A'.repeat(64)])('is moved aside: a file named %s', async (name) => {
    const { id } = await openWithOne();
    await writeFile(scratch.path('things', name), 'text');
    expect((await open()).list()).toHaveLength(1);
    expect(await things()).toEqual([id]);
    const [kept = ''] = await readdir(scratch.path('quarantine'));
    expect(await readFile(scratch.path('quarantine', kept), 'utf8')).toBe('text');
  });

  it('never keeps the store from opening', async () => {
    const { id, dir } = await openWithOne();
    const stuck = scratch.path('things', `.${newId()}.removed`);
    await mkdir(stuck);
    await mount({ source: 'tmpfs', target: stuck, type: 'tmpfs' });
    await writeFile(scratch.path('things', 'notes'), '');
    await writeFile(scratch.path('quarantine'), 'a file where the directory should be');
    scratch.defer(() => unmount(stuck));
    expect((await open()).get(id)?.status).toEqual({ state: 'new' });
    await chmod(dir, 0o700);
    expect((await things()).sort()).toEqual([`.${stuck.split('/.')[1] ?? ''}`, id, 'notes'].sort());
  });
});

it('removes nothing by a name that is no id', async () => {
  const { store } = await openWithOne();
  expect(await rejection(store.delete('../things'))).toMatchObject({ code: 'internal' });
  expect(await things()).toHaveLength(1);
});
