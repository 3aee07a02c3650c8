import { parseArgs } from 'node:util';

import { describeError } from './base/errors.js';
import { createLogger } from './base/log.js';
import { optimizeLate } from './base/optimize-late.js';
import { loadConfig } from './config/load-config.js';
import { startDaemon } from './daemon/start.js';
import { watchEventLoop } from './daemon/watch-event-loop.js';
import { readVersion } from './base/version.js';

const USAGE = `usage: gantryd [--config FILE]

  --config FILE   the configuration (default: /etc/gantry/gantry.yaml if it exists)
  --version       print the version and exit
  --help          print this and exit
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, version: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) return void process.stdout.write(USAGE);
  if (values.version) return void process.stdout.write(`gantryd ${readVersion()}\n`);
  const config = await loadConfig(values.config === undefined ? {} : { file: values.config });
  const logger = createLogger(config.log);
  watchEventLoop(logger);
  optimizeLate();
  // What is made for containers must be as readable as it is meant to be, and they inherit it: systemd's default.
  process.umask(0o022);
  const daemon = await startDaemon(config, logger);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
  process.on('SIGHUP', () => logger.warn('SIGHUP: the configuration is read at start only'));
  process.on('unhandledRejection', (error) => logger.error({ error: describeError(error) }, 'unhandled rejection'));

  async function stop(signal: string): Promise<void> {
    logger.info({ signal }, 'shutting down');
    await daemon.stop();
    process.exit(0);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`gantryd: ${describeError(error)}\n`);
  process.exit(1);
});
