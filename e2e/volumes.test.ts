import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { runOk } from '../src/base/spawn.js';
import { OWN } from './images/own-images.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';
import { BUSYBOX, inspect, runContainer, runPod, writeContainer, writePod } from './harness/pods.js';

describe('volumes', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(async ({ dir }) => {
      await chmod(dir, 0o711);
      return { runtime: { handlers: { newer: { path: join(TOOLS, 'runc') } } } };
    });
    for (const image of [BUSYBOX, OWN.content, OWN.volumes]) await house.crictl.ok('pull', image);
  });
  afterAll(() => house.close());

  const exec = (id: string, ...command: string[]): Promise<string> => house.crictl.ok('exec', '-s', id, ...command);

  async function start(fields: object, podFields: object = {}, ...podOptions: string[]) {
    const pod = await writePod(house, podFields);
    const podId = await house.crictl.ok('runp', ...podOptions, pod.path);
    const id = await runContainer(house, podId, { pod, container: await writeContainer(house, fields) });
    return { pod, podId, id };
  }

  async function remove(podId: string): Promise<void> {
    await house.crictl.ok('stopp', podId);
    await house.crictl.ok('rmp', podId);
    await house.assertEmpty();
  }

  const content = (more: object = {}) => ({ container_path: '/data', image: { image: OWN.content }, ...more });

  describe('of the host', () => {
    it('may be named by links, and are made where they are missing', async () => {
      const below = (name: string): string => join(house.scratch.dir, name);
      await mkdir(below('real'));
      await writeFile(below('real/file'), 'linked');
      await symlink('real', below('to-directory'));
      await symlink('real/file', below('to-file'));
      const mount = (name: string) => ({ container_path: `/${name}`, host_path: below(name) });
      const names = ['to-directory', 'to-file', 'missing/below'];
      const { podId, id } = await start({ mounts: names.map(mount) });
      expect(await exec(id, 'cat', '/to-directory/file', '/to-file')).toBe('linkedlinked');
      expect(await exec(id, 'stat', '-c', '%F %a', '/missing/below')).toBe('directory 755');
      expect((await stat(below('missing/below'))).isDirectory()).toBe(true);
      await remove(podId);
    });

    it('do not let cgroups be changed, and devices be used but by their permissions', async () => {
      // Of loop devices: no runtime lets every container have them, as it does with null and its like.
      const host_path = join(house.scratch.dir, 'device');
      await runOk('mknod', [host_path, 'b', '7', '0'], { timeoutMs: 10_000 });
      const device = (permissions: string) => ({ container_path: `/dev/sub/${permissions}`, host_path, permissions });
      const { podId, id } = await start({ devices: [device('r')] });
      const tries = (name: string, mode: string): Promise<string> =>
        exec(id, 'sh', '-c', `(: ${mode} /dev/sub/${name}) 2>&1; true`);
      expect(await exec(id, 'stat', '-c', '%F %t:%T', '/dev/sub/r')).toBe('block special file 7:0');
      expect(await tries('r', '<')).not.toContain('Operation not permitted');
      expect(await tries('r', '>')).toContain('Operation not permitted');
      const made = await exec(id, 'sh', '-c', 'd=/sys/fs/cgroup; [ -d $d/cpu ] && d=$d/cpu; mkdir $d/x 2>&1; true');
      expect(made).toContain('Read-only file system');
      await remove(podId);
    });
  });

  describe('that are images', () => {
    it('show the image, read-only', async () => {
      const { podId, id } = await start({ mounts: [content()] });
      expect(await exec(id, 'cat', '/data/top')).toBe('top');
      expect(await exec(id, 'cat', '/data/sub/dir/file')).toBe('below');
      expect(await exec(id, 'sh', '-c', 'touch /data/x 2>&1; touch /data/sub/x 2>&1; true')).toMatch(
        /^(.*Read-only file system\n?){2}$/,
      );
      const { status } = (await house.crictl.json('inspect', id)) as { status: { mounts: object[] } };
      expect(status.mounts).toMatchObject([
        {
          containerPath: '/data',
          hostPath: '',
          image: { image: OWN.content, imageRef: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) },
        },
      ]);
      await remove(podId);
    });

    it.each(['sub/dir', 'link', './sub//dir/'])('show a directory of it alone: %s', async (path) => {
      const { podId, id } = await start({ mounts: [content({ image_sub_path: path })] });
      expect(await exec(id, 'ls', '/data')).toBe('file');
      await remove(podId);
    });

    it.each([
      ['top', 'ImageVolumeMountFailed: the image volume at /data: '],
      ['nothing', 'ImageVolumeMountFailed: the image volume at /data: '],
      ['out', 'ImageVolumeMountFailed: the image volume at /data: '],
      ['up', 'ImageVolumeMountFailed: the image volume at /data: '],
      ['../etc', 'config.mounts[0].image_sub_path'],
      ['/etc', 'config.mounts[0].image_sub_path'],
    ])('show nothing outside of it, and no file: %s', async (path, says) => {
      const pod = await writePod(house);
      const podId = await runPod(house, pod);
      const container = await writeContainer(house, { mounts: [content({ image_sub_path: path })] });
      const { stderr } = await house.crictl.run('create', podId, container, pod.path);
      expect(stderr).toContain('code = InvalidArgument');
      expect(stderr).toContain(says);
      await remove(podId);
    });

    it('need an image that was pulled', async () => {
      const pod = await writePod(house);
      const podId = await runPod(house, pod);
      const container = await writeContainer(house, { mounts: [content({ image: { image: 'ghost.invalid/x:1' } })] });
      const { stderr } = await house.crictl.run('create', podId, container, pod.path);
      expect(stderr).toMatch(
        /code = NotFound desc = ImageVolumeMountFailed: the image volume at \/data: .*ghost.invalid/,
      );
      await remove(podId);
    });

    it('outlive the daemon, and keep their image', async () => {
      const { podId, id, pod } = await start({ mounts: [content()] });
      await house.crictl.ok('rmi', OWN.content);
      await house.daemon.kill9();
      await house.daemon.start();
      expect(await exec(id, 'cat', '/data/top')).toBe('top');
      const again = await writeContainer(house, { mounts: [content()] });
      expect((await house.crictl.run('create', podId, again, pod.path)).stderr).toContain('code = NotFound');
      await remove(podId);
      await house.crictl.ok('pull', OWN.content);
    });

    it('may be OCI artifacts, whose blobs are files', async () => {
      const name = 'registry.k8s.io/gantry-test/artifact:1';
      const model = 'm'.repeat(3000);
      await pushArtifact(house, {
        name,
        files: [
          { title: 'model.bin', data: model },
          { title: 'docs/read me', data: '' },
        ],
      });
      await house.crictl.ok('pull', name);
      expect(await house.crictl.json('inspecti', name)).toMatchObject({ status: { repoTags: [name] } });
      const { podId, id, pod } = await start({ mounts: [content({ image: { image: name } })] });
      expect(await exec(id, 'find', '/data', '-type', 'f')).toBe('/data/docs/read me\n/data/model.bin');
      expect(await exec(id, 'cat', '/data/model.bin')).toBe(model);
      await house.daemon.kill9();
      await house.daemon.start();
      expect(await exec(id, 'stat', '-c', '%u %a %s', '/data/model.bin')).toBe('0 644 3000');
      const run = await house.crictl.run(
        'create',
        podId,
        await writeContainer(house, { image: { image: name } }),
        pod.path,
      );
      expect(run.stderr).toContain('code = FailedPrecondition');
      await remove(podId);
    });

    it('show the ids of a pod’s own user namespace', async () => {
      const range = [{ host_id: 1_000_000, length: 65_536 }];
      const linux = { security_context: { namespace_options: { userns_options: { uids: range, gids: range } } } };
      const { podId, id } = await start(
        { linux, mounts: [content()], image: { image: OWN.volumes } },
        { linux },
        '-r',
        'newer',
      );
      expect(await exec(id, 'stat', '-c', '%u', '/data/top', '/var/data/file', '/var/empty')).toBe('0\n5\n0');
      await exec(id, 'sh', '-c', 'touch /var/data/new /var/empty/new');
      await remove(podId);
    });
  });

  describe('that an image declares', () => {
    const OF_IMAGE = { image: { image: OWN.volumes } };

    it('have its content with its owners, and go with the container', async () => {
      const { podId, id } = await start(OF_IMAGE);
      expect(await exec(id, 'stat', '-c', '%u:%g %a', '/var/data', '/var/data/file', '/var/empty')).toBe(
        '5:6 750\n5:6 644\n0:0 755',
      );
      expect(await exec(id, 'sh', '-c', 'cat /var/data/link; echo new > /var/data/new')).toBe('of the image');
      expect(await exec(id, 'grep', '-c', ' /var/data \\| /var/empty ', '/proc/mounts')).toBe('2');
      const volumes = join(house.scratch.root, 'containers', id, 'volumes');
      expect((await readdir(volumes)).sort()).toEqual(['0', '1']);
      expect((await stat(join(volumes, '0', 'new'))).size).toBe(4);
      await remove(podId);
      expect(existsSync(volumes)).toBe(false);
    });

    it('give way to mounts of the request', async () => {
      const mounts = [content({ container_path: '/var//data/' })];
      const { podId, id } = await start({ ...OF_IMAGE, mounts });
      expect(await exec(id, 'ls', '/var/data')).toContain('top');
      expect(await readdir(join(house.scratch.root, 'containers', id, 'volumes'))).toEqual(['0']);
      expect((await inspect(house, id)).status.state).toBe('CONTAINER_RUNNING');
      await remove(podId);
    });
  });
});

/** Pushes what has no configuration and no layers, but blobs (OCI image-spec, "Guidelines for Artifact Usage"). */
async function pushArtifact(
  { registry }: House,
  { name, files }: { readonly name: string; readonly files: readonly { title: string; data: string }[] },
): Promise<void> {
  const [path = '', tag = ''] = name.split(':');
  const base = `http://${registry.address}/v2/${path}`;
  const put = async (data: string): Promise<{ digest: string; size: number }> => {
    const digest = `sha256:${createHash('sha256').update(data).digest('hex')}`;
    const { headers } = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
    const to = new URL(headers.get('location') ?? '');
    to.searchParams.set('digest', digest);
    expect((await fetch(to, { method: 'PUT', body: data })).status).toBe(201);
    return { digest, size: data.length };
  };
  const layers = await Promise.all(
    files.map(async ({ title, data }) => ({
      ...(await put(data)),
      mediaType: 'application/octet-stream',
      annotations: { 'org.opencontainers.image.title': title },
    })),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const config = { ...(await put('{}')), mediaType: 'application/vnd.oci.empty.v1+json' };
  const manifest = { schemaVersion: 2, mediaType, artifactType: 'application/vnd.example.model', config, layers };
  const headers = { 'content-type': mediaType };
  const answer = await fetch(`${base}/manifests/${tag}`, { method: 'PUT', headers, body: JSON.stringify(manifest) });
  expect(answer.status).toBe(201);
}
