import { MonitorStreams, type OutputName } from '../../../oci/monitor-streams.js';
import { MonitorTerminal, type Size } from '../../../oci/monitor-terminal.js';
import type { ContainerRecord } from '../../container/types.js';

/** A client's side of a hub. */
export interface HubClient {
  onOutput(name: OutputName, bytes: Buffer): void;
  onEnd(): void;
}

/**
 * The one connection to a container's monitor that all its clients share. conmon waits for each connection, and ends the
 * container's input with the first that closes: so a client that only listens must not have one of its own.
 */
export class AttachHub {
  /** Rejects without a monitor. */
  readonly connected: Promise<void>;
  readonly #clients = new Set<HubClient>();
  readonly #terminal: MonitorTerminal | undefined;
  /**
   * What the end of a client's input means: `ends` the container's (CRI stdin_once); `stays`: others may go on with it, as
   * always on a terminal; `none`: the container takes no input.
   */
  readonly input: 'ends' | 'stays' | 'none';
  readonly #onClose: () => void;
  #streams: MonitorStreams | undefined;
  #inputEnded = false;

  constructor({ config }: ContainerRecord, bundle: string, onClose: () => void) {
    this.#onClose = onClose;
    this.#terminal = config.tty ? new MonitorTerminal(bundle) : undefined;
    this.input = !config.stdin ? 'none' : config.stdinOnce && !config.tty ? 'ends' : 'stays';
    this.connected = this.#connect(bundle);
  }

  async #connect(bundle: string): Promise<void> {
    try {
      this.#streams = await MonitorStreams.connect(bundle, {
        onOutput: (name, bytes) => this.#tell(name, bytes),
        onEnd: () => this.#end(),
      });
    } catch (error) {
      this.#onClose();
      throw error;
    }
  }

  join(client: HubClient): void {
    this.#clients.add(client);
  }

  /** The connection stays until there is output that nobody wants: conmon notices no earlier that it is closed. */
  leave(client: HubClient): void {
    this.#clients.delete(client);
  }

  /** Settles when the container has taken it, or takes none. */
  async send(bytes: Buffer): Promise<void> {
    if (this.input !== 'none' && !this.#inputEnded) await this.#streams?.send(bytes);
  }

  /** A client's input is over. */
  endInput(): void {
    if (this.input !== 'ends' || this.#inputEnded) return;
    this.#inputEnded = true;
    this.#streams?.endInput();
  }

  async resize(size: Size): Promise<void> {
    await this.#terminal?.resize(size);
  }

  #tell(name: OutputName, bytes: Buffer): void {
    for (const client of this.#clients) client.onOutput(name, bytes);
    const mayClose = this.input !== 'ends' || this.#inputEnded;
    if (this.#clients.size > 0 || !mayClose) return;
    this.#onClose();
    this.#streams?.close();
  }

  #end(): void {
    this.#onClose();
    for (const client of this.#clients) client.onEnd();
    this.#clients.clear();
  }
}
