import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';

import { internal } from '../../src/base/errors.js';
import { endOf, start } from '../../src/base/spawn.js';
import { callCri } from './cri.js';
import { TOOLS } from './crictl.js';
import type { House } from './house.js';
import { waitFor } from './wait.js';

/** crictl where it streams: with stdin, and with outputs that come while it runs. */
export class StreamingCrictl {
  readonly #house: House;

  constructor(house: House) {
    this.#house = house;
  }

  /** The command line that `rest` comes to. */
  line(...rest: string[]): string[] {
    return [join(TOOLS, 'crictl'), '--config', join(this.#house.scratch.dir, 'crictl.yaml'), ...rest];
  }

  start(...rest: string[]): ChildProcess {
    const [program = '', ...args] = this.line(...rest);
    return start(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  }

  /** With all of its input, to its end. */
  async run(input: string, ...rest: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const child = this.start(...rest);
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    const outputs = Promise.all([child.stdout, child.stderr].map((stream) => text(stream ?? Readable.from([]))));
    const code = await endOf(child, 'crictl', 'close');
    const [stdout = '', stderr = ''] = await outputs;
    return { code, stdout, stderr };
  }

  attach(...rest: string[]): Conversation {
    return new Conversation(this.start('attach', '-i', ...rest));
  }
}

/** A client with whom one talks in lines. */
export class Conversation {
  readonly child: ChildProcess;
  #heard = '';

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (chunk: Buffer) => (this.#heard += chunk.toString()));
  }

  get heard(): string {
    return this.#heard;
  }

  say(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Until it has heard exactly this. */
  async hears(expected: string): Promise<void> {
    await waitFor(`"${expected}"`, 10_000, () => Promise.resolve(this.#heard === expected ? true : undefined));
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.end();
  }

  end(): Promise<number> {
    return endOf(this.child, 'crictl', 'close');
  }
}

/** Arguments of a container's processes that match. */
export async function processesOf(house: House, containerId: string, pattern: RegExp): Promise<string[]> {
  const { stdout } = await callCri(house, 'ExecSync', { containerId, cmd: ['ps', '-o', 'args'] });
  const lines = Buffer.from(stdout ?? '').toString();
  return lines.split('\n').filter((line) => pattern.test(line));
}

/** A stream that the child was started with. */
export function present<T>(stream: T | null): T {
  if (stream === null) throw internal('the child has no such stream');
  return stream;
}

/** The local ports of `crictl port-forward` on IPv4, in the order of its arguments. */
export async function forwardedPorts(client: ChildProcess, count: number): Promise<number[]> {
  let said = '';
  client.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return waitFor('forwarded ports', 10_000, () => {
    const ports = [...said.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map(([, port]) => Number(port));
    return Promise.resolve(ports.length === count ? ports : undefined);
  });
}

/** A connection to a forwarded port, with what comes. */
export class Caller {
  readonly #socket;
  #heard = '';

  constructor(port: number | undefined) {
    this.#socket = connect({ port: port ?? 0, host: '127.0.0.1', allowHalfOpen: true });
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (chunk: Buffer) => (this.#heard += chunk.toString('latin1')));
  }

  say(text: string): void {
    this.#socket.write(text);
  }

  async hears(expected: string): Promise<void> {
    await waitFor(`"${expected}"`, 10_000, () => Promise.resolve(this.#heard === expected ? true : undefined));
  }

  /** Sends the text, ends, and returns all that has come until the other side has ended, too. */
  async end(text = ''): Promise<string> {
    const closed = once(this.#socket, 'close');
    this.#socket.end(text);
    await closed;
    return this.#heard;
  }
}

/** Sends the text, ends, and returns what comes. */
export function ask(port: number | undefined, question: string): Promise<string> {
  return new Caller(port).end(question);
}
