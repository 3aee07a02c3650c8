/**
 * Builds the image of the demonstration from this machine's busybox, so that the first pod needs no network:
 * an OCI image layout at build/images/hello.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { busybox } from './oci-layout/busybox.js';
import { file } from './oci-layout/entries.js';
import { image, layer } from './oci-layout/image.js';
import { writeLayout } from './oci-layout/layout.js';
import { PROJECT_ROOT } from './project-root.js';

const NAME = 'gantry.local/hello:latest';

/** What the container runs: it says hello and ends at once when stopped, which process 1 must ask for. */
const HELLO = `#!/bin/sh
trap 'echo goodbye; exit 0' TERM INT
echo "hello from $(hostname)"
while :; do sleep 3600 & wait; done
`;

/** Writes the layout into `dir`, replacing what was there. */
export async function buildEmbeddedImage(dir: string): Promise<void> {
  const rootfs = [...(await busybox()), file('bin/hello', HELLO, { mode: 0o755 })];
  const hello = image({ layers: [await layer(rootfs)], process: { Cmd: ['/bin/hello'] } });
  await rm(dir, { recursive: true, force: true });
  await writeLayout(dir, [{ name: NAME, image: hello }]);
}

if (process.argv[1] === import.meta.filename) {
  await buildEmbeddedImage(process.argv[2] ?? join(PROJECT_ROOT, 'build', 'images', 'hello'));
}
