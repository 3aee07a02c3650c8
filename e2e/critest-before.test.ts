import { newestOutcome } from './harness/critest.js';
import { critestSuite } from './harness/critest-suite.js';
import { SETTINGS } from './harness/settings.js';

const release = '1.36';

/** Kubelets of two releases are in use at a time. */
critestSuite('critest of the release before (with GANTRY_E2E_FULL=1)', {
  asked: { name: 'before', release },
  outcome: () => newestOutcome(release),
  wanted: SETTINGS.full,
});
