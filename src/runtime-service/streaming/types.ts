import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** A terminal's size, in characters. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** What an Exec or Attach was asked to carry (CRI ExecRequest, AttachRequest). */
export interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  /** Never with `tty`: a terminal has one output. */
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface ExecTarget extends Streams {
  readonly kind: 'exec';
  readonly containerId: string;
  readonly command: readonly string[];
}

export interface AttachTarget extends Streams {
  readonly kind: 'attach';
  readonly containerId: string;
}

export interface PortForwardTarget {
  readonly kind: 'port-forward';
  readonly sandboxId: string;
  /** Of WebSocket clients with channels, which cannot name a port later; SPDY streams name theirs. */
  readonly ports: readonly number[];
}

/** What a one-time URL stands for. */
export type StreamTarget = ExecTarget | AttachTarget | PortForwardTarget;

/** One client of an exec or attach, whatever its protocol (SPDY/3.1, WebSocket). */
export interface StreamSession {
  /** What the client types; ends with its half-close. Undefined where it was not asked for, as the others. */
  readonly stdin: Readable | undefined;
  /** `write` that returns false means: wait for `drain`. */
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Calls back with each size that the client's terminal takes, at once with the last one that is known. */
  onResize(listener: (size: TerminalSize) => void): void;
  /** Fires when the client is gone, when nothing went either way for the idle time, and when the server stops. */
  readonly signal: AbortSignal;
}

/** What the streaming server calls for its clients. */
export interface StreamingBackend {
  /**
   * Runs the command until its end; the streams get all that it wrote before this resolves.
   * @throws not-found, failed-precondition as ExecSync; aborted when `session.signal` fired, with the command gone.
   */
  exec(target: ExecTarget, session: StreamSession): Promise<{ readonly exitCode: number }>;
  /** Joins the container's own streams until it ends or the client goes. The container never waits for a client. */
  attach(target: AttachTarget, session: StreamSession): Promise<void>;
  /**
   * A connection to a TCP port on the pod's loopback (IPv4, then IPv6), half-open allowed.
   * @throws not-found; failed-precondition if the sandbox is not ready; unavailable with the port if nobody listens.
   */
  connect(target: PortForwardTarget, port: number, signal: AbortSignal): Promise<Socket>;
}
