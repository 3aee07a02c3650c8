import type { Socket } from 'node:net';

import { closeAll, openDescriptor } from '../../../base/sys/descriptor.js';
import { openTerminal, setTerminalSize } from '../../../base/sys/terminal.js';
import { CommandOutput, type CommandEnds } from '../../container/command-output.js';
import type { CommandStdio } from '../../container/command-pipes.js';
import type { TerminalSize } from '../types.js';

/**
 * The terminal that the runtime runs on. The command has another one, of the container's: runc gives that away
 * (`--console-socket`) only to who does without the exit code (`--detach`), so the runtime stands between the two.
 */
export class CommandTerminal implements CommandEnds {
  readonly stdio: CommandStdio;
  readonly input: Socket;
  readonly output: CommandOutput;
  readonly #master: number;
  #given: number[];
  #onSize: (size: TerminalSize) => void = () => undefined;
  #closed = false;

  constructor() {
    const { master, slave } = openTerminal();
    this.#master = master;
    this.#given = [slave];
    this.stdio = [slave, slave, slave];
    this.input = openDescriptor(master, { readable: true, writable: true });
    this.input.on('error', () => undefined); // EIO: the runtime has ended
    this.output = new CommandOutput(master, this.input, 'terminal');
  }

  /** To be called once the runtime has its side; `onSize` gives the command's a new size. */
  handOver(onSize: (size: TerminalSize) => void): void {
    this.#onSize = onSize;
    closeAll(this.#given);
    this.#given = [];
  }

  resize(size: TerminalSize): void {
    if (this.#closed || this.input.destroyed) return;
    setTerminalSize(this.#master, size);
    this.#onSize(size);
  }

  finish(): Promise<boolean> {
    return this.output.finish();
  }

  close(): void {
    this.#closed = true;
    closeAll(this.#given);
    this.#given = [];
    this.input.destroy();
  }
}
