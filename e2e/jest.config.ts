import { PROJECT_ROOT } from '../scripts/project-root.js';
import { patience } from './harness/settings.js';

/**
 * The end-to-end suites, one after another: they measure, and count what is left on the machine. Compiled, this is
 * build/e2e/jest.config.js.
 */
export default {
  rootDir: PROJECT_ROOT,
  roots: ['<rootDir>/build/e2e'],
  testEnvironment: 'node',
  transform: {},
  globalTeardown: '<rootDir>/build/scripts/after-tests.js',
  testMatch: ['**/*.test.js'],
  testTimeout: patience(120_000),
  maxWorkers: 1,
};
