import { invalidArgument } from '../../base/errors.js';
import type { Streams } from '../streaming/types.js';

/** @throws invalid-argument for no stream at all, and for stderr beside a terminal, which has one output */
export function wantedStreams({ stdin, stdout, stderr, tty }: Streams): Streams {
  if (tty && stderr) throw invalidArgument('tty and stderr cannot both be set');
  if (!stdin && !stdout && !stderr) throw invalidArgument('one of stdin, stdout and stderr must be set');
  return { stdin, stdout, stderr, tty };
}
