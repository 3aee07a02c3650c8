import { parseArgs } from 'node:util';

import { describeError } from './base/errors.js';
import { createLogger, flushed, type Logger } from './base/log.js';
import { optimizeLate } from './base/optimize-late.js';
import { unwaitingOutput } from './base/sys/unwaiting-output.js';
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
  logWhatNodeSays(logger);
  watchEventLoop(logger);
  optimizeLate();
  // What is made for containers must be as readable as it is meant to be, and they inherit it: systemd's default.
  process.umask(0o022);
  const daemon = await startDaemon(config, logger);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
  process.on('SIGHUP', () => logger.warn('SIGHUP: the configuration is read at start only'));
  async function stop(signal: string): Promise<void> {
    logger.info({ signal }, 'shutting down');
    await daemon.stop();
    await flushed(logger);
    process.exit(0);
  }
}

/** Node writes to standard error itself, and waits for who reads it: warnings and what nobody caught go the way of all lines. */
function logWhatNodeSays(logger: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', (warning) =>
    logger.warn({ warning: warning.name, error: describeError(warning) }, 'node warns'),
  );
  process.on('unhandledRejection', (error) => logger.error({ error: describeError(error) }, 'unhandled rejection'));
  process.on('uncaughtException', (error) => {
    logger.fatal({ error: describeError(error), stack: error.stack }, 'nobody caught an error');
    process.exit(1);
  });
}

main().catch((error: unknown) => {
  unwaitingOutput(2).writeNow(Buffer.from(`gantryd: ${describeError(error)}\n`));
  process.exit(1);
});
