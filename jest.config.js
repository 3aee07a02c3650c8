/** Tests run on what tsc wrote, as the daemon does: worker threads and import.meta.url are the real ones. */
export default {
  testEnvironment: 'node',
  transform: {},
  globalTeardown: '<rootDir>/build/scripts/after-tests.js',
  roots: ['<rootDir>/build/src', '<rootDir>/build/scripts', '<rootDir>/build/bench'],
  testMatch: ['**/*.test.js'],
  testTimeout: 30_000,
};
