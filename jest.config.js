/** Tests run on what tsc wrote, as the daemon does: worker threads and import.meta.url are the real ones. */
export default {
  testEnvironment: 'node',
  transform: {},
  roots: ['<rootDir>/build/src', '<rootDir>/build/scripts', '<rootDir>/build/bench'],
  testMatch: ['**/*.test.js'],
  testTimeout: 30_000,
};
