import { describe, expect, it } from '@jest/globals';

import { PROJECT_ROOT } from '../../scripts/project-root.js';
import { codeOf } from '../../src/base/errors.js';
import { readSettings } from './settings.js';

describe('settings of the suites', () => {
  it('are runc, cgroupfs and a common machine where the environment is silent', () => {
    expect(readSettings({})).toEqual({
      runtime: 'runc',
      cgroupDriver: 'cgroupfs',
      slowness: 1,
      full: false,
      critest: 'both',
      logs: undefined,
    });
  });

  it('keep logs nowhere by an empty variable, and below build by an absolute one', () => {
    expect(readSettings({ GANTRY_E2E_LOGS: '' }).logs).toBeUndefined();
    const logs = `${PROJECT_ROOT}/build/results`;
    expect(readSettings({ GANTRY_E2E_LOGS: logs }).logs).toBe(logs);
  });

  it('come from the environment', () => {
    const env = {
      GANTRY_E2E_RUNTIME: 'crun',
      GANTRY_E2E_CGROUP_DRIVER: 'systemd',
      GANTRY_E2E_SLOW: '10',
      GANTRY_E2E_FULL: '1',
      GANTRY_E2E_CRITEST: 'short',
      GANTRY_E2E_LOGS: '/kept',
    };
    const given = {
      runtime: 'crun',
      cgroupDriver: 'systemd',
      slowness: 10,
      full: true,
      critest: 'short',
      logs: '/kept',
    };
    expect(readSettings(env)).toEqual(given);
  });

  it.each([
    ['GANTRY_E2E_RUNTIME', 'youki'],
    ['GANTRY_E2E_CGROUP_DRIVER', 'cgroups'],
    ['GANTRY_E2E_CRITEST', 'long'],
    ['GANTRY_E2E_SLOW', 'very'],
    ['GANTRY_E2E_SLOW', '0'],
    ['GANTRY_E2E_LOGS', '.'],
    ['GANTRY_E2E_LOGS', PROJECT_ROOT],
    ['GANTRY_E2E_LOGS', `${PROJECT_ROOT}/e2e`],
  ])('are refused by name: %s=%s', (variable, value) => {
    let failure: unknown;
    try {
      readSettings({ [variable]: value });
    } catch (error) {
      failure = error;
    }
    expect(codeOf(failure)).toBe('invalid-argument');
    expect((failure as Error).message).toContain(variable);
  });
});
