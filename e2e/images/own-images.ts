import { directory, file, opaqueWhiteout, symlink, whiteout } from '../../scripts/oci-layout/entries.js';
import {
  HOST_PLATFORM,
  image,
  imageIndex,
  layer,
  type Image,
  type Layer,
  type ProcessConfig,
} from '../../scripts/oci-layout/image.js';
import type { NamedImage } from '../../scripts/oci-layout/layout.js';
import { shellRootfs } from './shell.js';

const HOST = 'registry.k8s.io/gantry-test';

/** Names of the images that Gantry's own tests pull. */
export const OWN = {
  /** An index of this machine's platform and another; /platform tells which one was taken. */
  platforms: `${HOST}/platforms:1`,
  /** The same as a Docker manifest list. */
  dockerPlatforms: `${HOST}/docker-platforms:1`,
  /** Docker schema 2 throughout. */
  docker: `${HOST}/docker:1`,
  /** Layers that are not compressed. */
  plain: `${HOST}/plain:1`,
  /** Four layers with whiteouts, an opaque directory, and a parent that only a lower layer lists. */
  layered: `${HOST}/layered:1`,
  /** Its stop signal is SIGUSR1. */
  stopSignal: `${HOST}/stop-signal:1`,
  /** Declares /var/data, which has files of user 5, and /var/empty, which is not there, as volumes. */
  volumes: `${HOST}/volumes:1`,
  /** Links and directories to look for sub paths in: /sub/dir, /link to it, /out and /up out of the image. */
  content: `${HOST}/content:1`,
  /** Has /large, its root directory and others of user and group 70000, beyond the ids that a pod's user namespace usually has. */
  largeIds: `${HOST}/large-ids:1`,
  /** Links that no mount can be at: /ring to itself, /top to the root. Its command, user and directory have a NUL, as has one variable; GOOD is another. */
  odd: `${HOST}/odd:1`,
  /** Nothing for this machine's platform. */
  foreign: `${HOST}/foreign:1`,
} as const;

export async function ownImages(): Promise<NamedImage[]> {
  const rootfs = await shellRootfs();
  const shell = await layer(rootfs);
  const foreign = await platformImage(shell, 's390x');
  const both = [foreign, await platformImage(shell, HOST_PLATFORM.architecture)];
  const bare = await layer(rootfs, { compression: 'none' });
  return [
    { name: OWN.platforms, image: imageIndex(both) },
    { name: OWN.dockerPlatforms, image: imageIndex(both, 'docker') },
    { name: OWN.docker, image: image({ layers: [shell], process: named('docker'), format: 'docker' }) },
    { name: OWN.plain, image: image({ layers: [bare], process: named('plain') }) },
    { name: OWN.layered, image: image({ layers: [shell, ...(await storyLayers())], process: named('layered') }) },
    {
      name: OWN.stopSignal,
      image: image({ layers: [shell], process: { ...named('stop-signal'), StopSignal: 'SIGUSR1' } }),
    },
    { name: OWN.volumes, image: image({ layers: [shell, await volumeLayer()], process: declaring() }) },
    { name: OWN.content, image: image({ layers: [await contentLayer()], process: named('content') }) },
    { name: OWN.largeIds, image: image({ layers: [shell, await largeIdsLayer()], process: largeUser() }) },
    { name: OWN.odd, image: image({ layers: [shell, await oddLayer()], process: ODD }) },
    { name: OWN.foreign, image: imageIndex([foreign]) },
  ];
}

const ODD: ProcessConfig = {
  Cmd: ['sh\0', '-c', 'true'],
  User: '0\0',
  WorkingDir: '/a\0',
  Env: ['BAD=a\0b', 'GOOD=1'],
  Labels: { 'gantry.test': 'odd\0' },
  StopSignal: 'TERM\0',
};

function oddLayer(): Promise<Layer> {
  return layer([symlink('ring', 'ring'), symlink('top', '/')]);
}

/** The config decides an image's id: the label keeps it from being that of another image with the same layers. */
function named(name: string): ProcessConfig {
  return { Cmd: ['sh'], Labels: { 'gantry.test': name } };
}

async function platformImage(shell: Layer, architecture: string): Promise<Image> {
  const marker = await layer([file('platform', `linux/${architecture}\n`)]);
  return image({ layers: [shell, marker], platform: { os: 'linux', architecture } });
}

/**
 * What must be seen at the top: /story/kept, /story/new, /story/opaque/late, /story/dir-to-link → kept, and
 * /story/shut with mode 0700 of user 7, although the layer that adds /story/shut/inner does not list it.
 */
async function storyLayers(): Promise<Layer[]> {
  const shut = directory('story/shut', { mode: 0o700, uid: 7, gid: 7 });
  return [
    await layer([
      file('story/kept', 'kept\n'),
      file('story/gone', 'gone\n'),
      file('story/opaque/early', 'early\n'),
      file('story/dir-to-link/inside', 'inside\n'),
      shut,
    ]),
    await layer([whiteout('story/gone'), whiteout('story/dir-to-link'), file('story/new', 'new\n')]),
    await layer(
      [
        opaqueWhiteout('story/opaque'),
        file('story/opaque/late', 'late\n'),
        symlink('story/dir-to-link', 'kept'),
        file('story/shut/inner', 'inner\n'),
      ],
      { bare: true },
    ),
  ];
}

function declaring(): ProcessConfig {
  return { ...named('volumes'), Volumes: { '/var/data': {}, 'var/empty/': {} } };
}

function volumeLayer(): Promise<Layer> {
  const owner = { uid: 5, gid: 6 };
  return layer([
    directory('var/data', { mode: 0o750, ...owner }),
    file('var/data/file', 'of the image\n', owner),
    symlink('var/data/link', 'file'),
  ]);
}

function largeUser(): ProcessConfig {
  return { ...named('large-ids'), User: '70000', Volumes: { '/large/dir': {} } };
}

function largeIdsLayer(): Promise<Layer> {
  const owner = { uid: 70_000, gid: 70_000 };
  return layer([
    directory('.', owner),
    directory('large', owner),
    file('large/file', 'of 70000\n', owner),
    directory('large/dir', owner),
    file('large/dir/file', 'of 70000\n', owner),
  ]);
}

function contentLayer(): Promise<Layer> {
  return layer([
    file('top', 'top\n'),
    file('sub/dir/file', 'below\n'),
    symlink('link', '/sub/dir'),
    symlink('out', '/etc'),
    symlink('up', '../../../../../../etc'),
  ]);
}
