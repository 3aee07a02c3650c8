import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { RESULTS, specsOf, type Spec } from '../scripts/test-reports.js';
import { run } from '../src/base/spawn.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';
import { patience } from './harness/settings.js';

/** Reported as skipped: its content is the original's alone, an image made here has another digest. */
const DIGEST_SPEC = 'public image with digest should be pulled and removed';

interface Group {
  readonly name: string;
  /** What the names of its specs have. */
  readonly focus: string;
  /** What the names of those left out have. */
  readonly without?: string;
  readonly specs: number;
}

/** The groups that pass, and how many specs critest 1.36 has in each: fewer would mean that none was looked for. */
const GROUPS: readonly Group[] = [
  { name: 'sandbox', focus: 'PodSandbox runtime', specs: 6 },
  { name: 'container', focus: 'Container runtime should support basic operations', specs: 14 },
  { name: 'log', focus: 'Container runtime should support log', specs: 2 },
  { name: 'volume', focus: 'Container runtime should support adding volume and device', specs: 2 },
  { name: 'image-manager', focus: 'Image Manager', without: DIGEST_SPEC, specs: 9 },
  { name: 'image-consistency', focus: 'Image Consistency', specs: 3 },
  { name: 'image-identifier', focus: 'Image Identifier Consistency', specs: 2 },
  { name: 'idempotence', focus: 'Idempotence', specs: 7 },
  { name: 'runtime-info', focus: 'Runtime info', specs: 2 },
  { name: 'multiple-containers', focus: 'Multiple Containers', specs: 3 },
  { name: 'networking', focus: 'Networking runtime', specs: 4 },
];

const GROUP_MS = patience(300_000);

describe('critest', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
    await mkdir(RESULTS, { recursive: true });
  });
  afterAll(() => house.close());

  /** Runs a group; its report stays, so that the summary counts its specs. */
  async function specs({ name, focus, without }: Omit<Group, 'specs'>): Promise<readonly Spec[]> {
    const report = join(RESULTS, `critest-${name}.json`);
    await rm(report, { force: true });
    const endpoint = `unix://${house.scratch.socket}`;
    const options = {
      'runtime-endpoint': endpoint,
      'image-endpoint': endpoint,
      'ginkgo.focus': focus,
      ...(without === undefined ? {} : { 'ginkgo.skip': without }),
      'ginkgo.json-report': report,
    };
    const args = Object.entries(options).map(([key, value]) => `--${key}=${value}`);
    const { stdout } = await run(join(TOOLS, 'critest'), args, { timeoutMs: GROUP_MS, cwd: house.scratch.dir });
    const text = await readFile(report, 'utf8').catch(() => `"no report: ${stdout.toString().slice(-500)}"`);
    return specsOf(JSON.parse(text));
  }

  it.each(GROUPS)(
    '$focus',
    async (group) => {
      const found = await specs(group);
      expect(found.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
      expect(found).toHaveLength(group.specs);
    },
    GROUP_MS,
  );

  it.skip(`Image Manager ${DIGEST_SPEC} (only its registry has that content)`, async () => {
    expect(await specs({ name: 'image-digest', focus: DIGEST_SPEC })).toMatchObject([{ outcome: 'passed' }]);
  });

  it('leaves nothing behind', () => house.assertEmpty());
});
