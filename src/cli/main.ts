import { Command } from 'commander';

import { describeError } from '../base/errors.js';
import { readVersion } from '../base/version.js';
import { imageCommand } from './commands/image.js';
import { registryCommand } from './commands/registry.js';
import { seccompCommand } from './commands/seccomp.js';

const program = new Command('gantry')
  .description('talks to gantryd beside what CRI has')
  .version(readVersion())
  .option('--address <socket>', "the daemon's socket", '/run/gantry/gantry.sock')
  .addCommand(imageCommand())
  .addCommand(registryCommand())
  .addCommand(seccompCommand());

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`gantry: ${describeError(error)}\n`);
  process.exitCode = 1;
});
