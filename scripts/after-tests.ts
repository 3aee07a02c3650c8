/** How long the process may live on when all tests ran, until it counts as hung. */
const GRACE_MS = 20_000;

/**
 * Jest's `globalTeardown`. A test that failed before it closed what it had opened would keep jest from ending, and with
 * it every suite behind it: such a run says what is open, and fails.
 */
export default function afterTests(): void {
  setTimeout(() => {
    process.stderr.write(`the tests ran, but left open: ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit(1);
  }, GRACE_MS).unref();
}
