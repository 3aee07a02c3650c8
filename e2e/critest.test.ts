import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { RESULTS, specsOf, type Spec } from '../scripts/test-reports.js';
import { run } from '../src/base/spawn.js';
import { TOOLS } from './harness/crictl.js';
import { openHouse, type House } from './harness/house.js';

/** The groups that pass, and how many specs critest 1.36 has in each: fewer would mean that none was looked for. */
const GROUPS = [
  { name: 'basic-operations', focus: 'PodSandbox runtime should support basic operations', specs: 4 },
  { name: 'idempotence', focus: 'Idempotence', specs: 7 },
  { name: 'runtime-info', focus: 'Runtime info', specs: 2 },
] as const;

const GROUP_MS = 300_000;

describe('critest', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
    await mkdir(RESULTS, { recursive: true });
  });
  afterAll(() => house.close());

  /** Runs a group; its report stays, so that the summary counts its specs. */
  async function specs(name: string, focus: string): Promise<readonly Spec[]> {
    const report = join(RESULTS, `critest-${name}.json`);
    await rm(report, { force: true });
    const endpoint = `unix://${house.scratch.socket}`;
    const options = {
      'runtime-endpoint': endpoint,
      'image-endpoint': endpoint,
      'ginkgo.focus': focus,
      'ginkgo.json-report': report,
    };
    const args = Object.entries(options).map(([key, value]) => `--${key}=${value}`);
    const { stdout } = await run(join(TOOLS, 'critest'), args, { timeoutMs: GROUP_MS, cwd: house.scratch.dir });
    const text = await readFile(report, 'utf8').catch(() => `"no report: ${stdout.toString().slice(-500)}"`);
    return specsOf(JSON.parse(text));
  }

  it.each(GROUPS)(
    '$focus',
    async ({ name, focus, specs: count }) => {
      const found = await specs(name, focus);
      expect(found.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
      expect(found).toHaveLength(count);
    },
    GROUP_MS,
  );

  it('leaves nothing behind', () => house.assertEmpty());
});
