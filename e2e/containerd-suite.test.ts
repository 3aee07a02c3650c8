import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { deadlineExceeded } from '../src/base/errors.js';
import { expectedOf, listSuite, prepareSuite, runSuiteTest, saidBy, UNFIT_HERE } from './harness/containerd-suite.js';
import { OF_CONTAINERD } from './harness/containerd-unfit.js';
import { openHouse, type House } from './harness/house.js';
import { patience, SETTINGS } from './harness/settings.js';

/** How long one test may take, and all together. */
const TEST_MS = patience(120_000);
const WHOLE_MS = patience(1_200_000);

/** Those that use CRI alone. */
const BY_CRI = [
  'TestAdditionalGids',
  'TestContainerConsumedStats',
  'TestContainerDrainExecIOAfterExit',
  'TestContainerEvents',
  'TestContainerLifecycleWithoutImageRef',
  'TestContainerListStats',
  'TestContainerListStatsWithIdFilter',
  'TestContainerListStatsWithIdSandboxIdFilter',
  'TestContainerListStatsWithSandboxIdFilter',
  'TestContainerLogWithoutTailingNewLine',
  'TestContainerRestart',
  'TestContainerStats',
  'TestContainerStopCancellation',
  'TestContainerStopSignals',
  'TestContainerSymlinkVolumes',
  'TestContainerSysfsStatsWithPrivilegedPod',
  'TestCreateContainerWithoutMetadata',
  'TestDefaultContainerStopSignal',
  'TestDuplicateName',
  'TestFailedContainerRestart',
  'TestImageFSInfo',
  'TestImageVolumeBasic',
  'TestImageVolumeWithUserNamespace',
  'TestIssue10598',
  'TestLongContainerLog',
  'TestPodDualStack',
  'TestPodHostname',
  'TestPodUserNS',
  'TestPrivilegedContainerCgroupMountOptions',
  'TestRunPodSandboxWithoutMetadata',
  'TestRuntimeHandler',
  'TestSharedPidMultiProcessContainerStop',
  'TestTruncIndex',
  'TestUpdateContainerResources_StatusUpdated',
  'TestUsernsVolumeCopyUp',
  'TestVolumeCopyUp',
  'TestVolumeOwnership',
];

(SETTINGS.full ? describe : describe.skip)(
  'the tests of containerd that use CRI alone (with GANTRY_E2E_FULL=1)',
  () => {
    let house: House;
    let until: number;
    beforeAll(async () => {
      house = await openHouse(prepareSuite);
      until = Date.now() + WHOLE_MS;
    });
    afterAll(() => house.close());
    afterEach(async () => {
      // One that failed may have left what would fail others.
      await house.crictl.ok('rmp', '-fa');
      await house.assertEmpty();
    });

    it('are all known', async () => {
      const known = [...BY_CRI, ...Object.values(OF_CONTAINERD).flat()];
      expect(await listSuite(house)).toEqual(known.sort());
      expect(BY_CRI).toEqual(expect.arrayContaining(Object.keys(UNFIT_HERE).map((name) => name.split('/')[0])));
    });

    it.each(BY_CRI.map((name) => [titleOf(name), name] as const))(
      '%s',
      async (_, name) => {
        const left = until - Date.now();
        if (left <= 0) throw deadlineExceeded(`the tests before this one took ${WHOLE_MS} ms`);
        expect(saidBy(await runSuiteTest(house, name, Math.min(TEST_MS, left)))).toEqual(expectedOf(name));
      },
      2 * TEST_MS,
    );

    describe.each(Object.entries(OF_CONTAINERD))('not one that %s:', (_, names) => {
      it.skip.each(names)('%s', () => undefined);
    });
  },
);

/** With what of it is not fit for this, and why. */
function titleOf(name: string): string {
  const own = Object.entries(UNFIT_HERE).filter(([each]) => each.split('/')[0] === name);
  const reasons = own.map(([each, { why }]) => (each === name ? why : `${each.slice(name.length + 1)}: ${why}`));
  return reasons.length === 0 ? name : `${name}, but: ${reasons.join('; ')}`;
}
