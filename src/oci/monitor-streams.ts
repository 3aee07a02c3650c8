import type { Socket } from 'node:net';
import { join } from 'node:path';

import { sleep } from '../base/abort.js';
import { errnoOf, unavailable } from '../base/errors.js';
import { connectPackets } from '../base/sys/connect.js';
import { readRest } from '../base/sys/descriptor.js';

export type OutputName = 'stdout' | 'stderr';

/** Who hears a container's output. Must never wait: a monitor waits for each of its clients, and the container for it. */
export interface MonitorListener {
  onOutput(name: OutputName, bytes: Buffer): void;
  /** The monitor has ended, and the container with it; all output was told. */
  onEnd(): void;
}

/** The first byte of a packet of conmon's. */
const STDOUT = 2;
const STDERR = 3;
/** conmon's own buffer: it cuts what is longer than its socket takes. */
const MAX_PACKET = 8_192;

const CONNECT_ATTEMPTS = 100;
const CONNECT_AGAIN_MS = 50;

/** A connection to conmon's attach socket: the container's output from now on, and its input. */
export class MonitorStreams {
  readonly #socket: Socket;
  readonly #fd: number;
  #sending: Promise<void> = Promise.resolve();

  private constructor(fd: number, socket: Socket) {
    this.#fd = fd;
    this.#socket = socket;
  }

  /** @throws unavailable if the monitor is gone, or takes nobody. */
  static async connect(bundle: string, listener: MonitorListener): Promise<MonitorStreams> {
    const { fd, socket } = await connectPatiently(join(bundle, 'attach'));
    const streams = new MonitorStreams(fd, socket);
    streams.#listen(listener);
    return streams;
  }

  #listen(listener: MonitorListener): void {
    const tell = (packet: Buffer): void => {
      const name = packet[0] === STDOUT ? 'stdout' : packet[0] === STDERR ? 'stderr' : undefined;
      if (name !== undefined) listener.onOutput(name, packet.subarray(1));
    };
    this.#socket.on('error', () => undefined); // EPIPE, ECONNRESET: the monitor has ended
    this.#socket.on('data', tell);
    this.#socket.on('end', () => {
      for (const packet of readRest(this.#fd)) tell(packet);
      this.#socket.destroy();
    });
    this.#socket.on('close', () => listener.onEnd());
  }

  /** Settles when the monitor has taken the bytes, which it does at the container's pace; or has ended. */
  send(bytes: Buffer): Promise<void> {
    this.#sending = this.#sending.then(async () => {
      for (let at = 0; at < bytes.length; at += MAX_PACKET) await this.#packet(bytes.subarray(at, at + MAX_PACKET));
    });
    return this.#sending;
  }

  /** What is written in one go is one packet, so each waits for the one before. */
  #packet(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(bytes, () => resolve());
    });
  }

  /** Ends the container's input, unless conmon was told to leave it open. Output goes on. */
  endInput(): void {
    void this.#sending.then(() => this.#socket.end());
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** conmon takes callers between its other work, and lets few of them queue. */
async function connectPatiently(path: string): Promise<{ readonly fd: number; readonly socket: Socket }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return connectPackets(path);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN' || attempt === CONNECT_ATTEMPTS)
        throw unavailable('the container’s monitor takes no connection', error);
    }
    await sleep(CONNECT_AGAIN_MS);
  }
}
