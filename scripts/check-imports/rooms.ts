/** A room: the files that one rule holds for, and the rooms which they may import from beside their own. */
export interface Room {
  /** `folder/**` with all below it, `folder/*` the files right in it, or one file. */
  readonly files: string;
  readonly may: readonly string[];
  /** May import generated protobuf code at run time; types may be imported anywhere. */
  readonly protobuf?: true;
}

const BASE = ['src/base/**', 'src/config/**'];
/** Fixtures of the image service's own tests: they write sound and hostile images, and use nothing of it. */
const IMAGE_WRITERS = ['src/image-service/image-fixture.ts', 'src/image-service/layers/tar-fixture.ts'];
const IMAGES = [
  'src/image-service/*',
  'src/image-service/registry/**',
  'src/image-service/layers/**',
  'src/image-service/trust/**',
  ...IMAGE_WRITERS,
];
const PODS = ['src/oci/**', 'src/cni/**', 'src/sandbox/**'];
const CONTAINERS = [
  'src/runtime-service/container/**',
  'src/runtime-service/streaming/**',
  'src/runtime-service/stats/**',
  'src/runtime-service/events/**',
];
const IMAGE_RPCS = ['src/image-service/handlers/**', 'src/image-service/convert/**'];
const RUNTIME_RPCS = ['src/runtime-service/*', 'src/runtime-service/handlers/**', 'src/runtime-service/convert/**'];
/** The shape of a handler: types alone, so that handlers need not know the server. */
const HANDLER_TYPES = 'src/server/handlers.ts';
/** What the command asks of the daemon: the one part of it that the command's tests need. */
const ADMIN = 'src/daemon/admin.ts';
const WIRED = [
  ...BASE,
  'src/metrics/**',
  ...IMAGES,
  ...PODS,
  ...CONTAINERS,
  ...IMAGE_RPCS,
  ...RUNTIME_RPCS,
  'src/server/**',
];

/** Where generated protobuf code is. */
export const GENERATED = 'api/cri/generated/';

/**
 * Imports go one way: base ← config ← {oci, cni} ← {images, sandbox} ← container ← handlers ← server ← main.
 * Images know nothing of sandboxes and containers, and sandboxes and containers nothing of images: who needs
 * the other declares an interface, and main supplies it.
 */
export const ROOMS: readonly Room[] = [
  { files: 'src/base/**', may: [] },
  { files: 'src/config/**', may: ['src/base/**'] },
  { files: 'src/metrics/**', may: BASE },
  { files: 'src/oci/**', may: BASE },
  { files: 'src/cni/**', may: BASE },
  ...IMAGES.map((files) => ({ files, may: [...BASE, ...IMAGES] })),
  { files: 'src/sandbox/**', may: [...BASE, 'src/oci/**', 'src/cni/**'] },
  { files: 'src/runtime-service/container/**', may: [...BASE, 'src/oci/**', 'src/sandbox/**'] },
  { files: 'src/runtime-service/streaming/**', may: [...BASE, ...PODS, ...CONTAINERS] },
  { files: 'src/runtime-service/stats/**', may: [...BASE, ...PODS, ...CONTAINERS] },
  { files: 'src/runtime-service/events/**', may: [...BASE, ...PODS, ...CONTAINERS] },
  { files: 'src/image-service/convert/**', may: [...BASE, ...IMAGES], protobuf: true },
  { files: 'src/image-service/handlers/**', may: [...BASE, ...IMAGES, ...IMAGE_RPCS, HANDLER_TYPES], protobuf: true },
  { files: 'src/runtime-service/convert/**', may: [...BASE, ...PODS, ...CONTAINERS], protobuf: true },
  {
    files: 'src/runtime-service/handlers/**',
    may: [...BASE, ...PODS, ...CONTAINERS, 'src/runtime-service/convert/**', HANDLER_TYPES],
    protobuf: true,
  },
  // What puts the handlers of a service together.
  { files: 'src/runtime-service/*', may: [...BASE, ...PODS, ...CONTAINERS, ...RUNTIME_RPCS] },
  { files: HANDLER_TYPES, may: BASE },
  { files: 'src/server/**', may: [HANDLER_TYPES, ...BASE, ...IMAGE_RPCS, ...RUNTIME_RPCS], protobuf: true },
  { files: ADMIN, may: WIRED },
  { files: 'src/cli/**', may: [...WIRED, ADMIN] },
  // What puts the daemon together.
  { files: 'src/daemon/**', may: [...WIRED, ADMIN] },
  { files: 'src/main.ts', may: [...WIRED, 'src/daemon/**'] },
  { files: 'scripts/**', may: WIRED },
  // A client of the daemon.
  { files: 'scripts/demo/**', may: [...WIRED, 'scripts/**'], protobuf: true },
  // From outside; but for what a host's cgroups look like, the client that the server's own tests have, and what writes images.
  {
    files: 'e2e/**',
    may: ['src/base/**', 'src/oci/**', 'src/server/**', ...IMAGE_WRITERS, 'scripts/**'],
    protobuf: true,
  },
  { files: 'bench/**', may: ['src/base/**', 'scripts/**', 'e2e/**'], protobuf: true },
];

/** The room of a file, by its path from the project's root; the nearest folder decides. */
export function roomOf(path: string, rooms: readonly Room[] = ROOMS): Room | undefined {
  const fitting = rooms.filter(({ files }) => fits(path, files));
  return fitting.sort((a, b) => b.files.length - a.files.length)[0];
}

function fits(path: string, files: string): boolean {
  const folder = files.slice(0, files.lastIndexOf('/') + 1);
  if (files.endsWith('/**')) return path.startsWith(folder);
  return files.endsWith('/*') ? path.startsWith(folder) && !path.slice(folder.length).includes('/') : path === files;
}
