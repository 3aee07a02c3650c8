import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, it } from '@jest/globals';

import { hierarchies } from '../../../src/oci/cgroup.js';
import { openNode } from './node.js';

it('says why kubelet does not start, and leaves nothing of the node', async () => {
  const error: unknown = await openNode({ kind: 'Nope' }).catch((thrown: unknown) => thrown);
  const said = (error as Error).message;
  expect(said).toMatch(/^kubelet ended with exit code 1: .+ no kind \\?"Nope\\?" is registered/);
  const [, dir = '', id = ''] = /path: (\/.+(gantry-e2e-[0-9a-f]{6})-\w+)\//.exec(said) ?? [];
  expect(existsSync(dir)).toBe(false);
  expect(await readFile('/proc/mounts', 'utf8')).not.toContain(id);
  expect(hierarchies().filter((hierarchy) => existsSync(join(hierarchy, id)))).toEqual([]);
});
