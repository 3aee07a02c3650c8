import type { Socket } from 'node:net';

import { closeAll, makePipe, openDescriptor } from '../../base/sys/descriptor.js';
import { CommandOutput, type CommandEnds, type Upstream } from './command-output.js';

/** What the runtime is started with: descriptors that it takes over. */
export type CommandStdio = readonly ['ignore' | number, number, number];

/** Pipes to a command and from it, which it can open anew as /dev/stdout and the like. */
export class CommandPipes implements CommandEnds {
  readonly stdio: CommandStdio;
  readonly stdin: Socket | undefined;
  readonly stdout: CommandOutput;
  readonly stderr: CommandOutput;
  readonly #sockets: Socket[] = [];
  #given: number[];

  constructor({ stdin }: { readonly stdin: boolean }) {
    const [out, err] = [makePipe(), makePipe()];
    const input = stdin ? makePipe() : undefined;
    this.stdio = [input?.read ?? 'ignore', out.write, err.write];
    this.#given = this.stdio.filter((fd) => fd !== 'ignore');
    this.stdout = this.#output(out.read);
    this.stderr = this.#output(err.read);
    this.stdin = input && this.#open(input.write, { readable: false, writable: true });
  }

  /** To be called once the runtime has its ends: as long as we have them, too, no output ends. */
  handOver(): void {
    closeAll(this.#given);
    this.#given = [];
  }

  async finish(upstream: Upstream): Promise<boolean> {
    const ended = await Promise.all([this.stdout, this.stderr].map((output) => output.finish(upstream)));
    return ended.every(Boolean);
  }

  close(): void {
    this.handOver();
    for (const socket of this.#sockets) socket.destroy();
  }

  #output(fd: number): CommandOutput {
    return new CommandOutput(fd, this.#open(fd, { readable: true, writable: false }), 'pipe');
  }

  #open(fd: number, ways: { readonly readable: boolean; readonly writable: boolean }): Socket {
    const socket = openDescriptor(fd, ways);
    socket.on('error', () => undefined); // EPIPE: the command's end says more
    this.#sockets.push(socket);
    return socket;
  }
}
