import { pino, type LogFn, type Logger } from 'pino';

import { settlesWithin } from './abort.js';
import { cut, cutStrings } from './cut.js';
import { LogSink } from './log-sink.js';
import { requestScope } from './request-scope.js';
import { unwaitingOutput } from './sys/unwaiting-output.js';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** `json` writes one object a line; `text` writes `time LEVEL message key=value …` for people. */
  readonly format: 'json' | 'text';
}

/** Lines are written to be read: what requests say is hostile, and may be as long as a request. */
const LIMITS = { text: 4_096, entries: 64 };
const LINE_LIMIT = 16 * 1024;
/** Of lines that nobody has read yet. */
const WAITING_BYTES = 1024 * 1024;
const STDERR = 2;
/** How long the end of a process waits for who reads its last lines. */
const FLUSH_MS = 1_000;

/**
 * A logger that writes to standard error; lines written in a request carry its ids, wherever that is. It waits for nobody: where standard error is a
 * pipe that is not read, lines are dropped, and how many is told once it is read again. What is long is cut.
 */
export function createLogger({ level, format }: LogOptions): Logger {
  const toLine = format === 'json' ? cutLine : (line: string): string => toText(cutLine(line));
  const sink = new LogSink(unwaitingOutput(STDERR), {
    limit: WAITING_BYTES,
    gap: (dropped) => toLine(gapLine(dropped)),
  });
  process.on('exit', () => sink.flushNow());
  const options = {
    ...{ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, mixin: scopeOf },
    formatters: { log: (fields: object) => cutStrings(fields, LIMITS) as Record<string, unknown> },
    hooks: { logMethod: cutArguments },
  };
  return pino(options, {
    write: (line: string) => sink.write(toLine(line)),
    ...{ flush: (done: () => void) => sink.flush(done) },
  });
}

function gapLine(dropped: number): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ level: WARN, time, dropped, msg: 'log lines were dropped: nobody read them' })}\n`;
}

/** Waits a moment for the lines that a logger has not written yet. */
export async function flushed(logger: Logger): Promise<void> {
  await settlesWithin(new Promise<void>((resolve) => logger.flush(() => resolve())), FLUSH_MS);
}

/** Pino's hook: the message, and what goes into its placeholders, before anything is made of them. */
function cutArguments(this: Logger, args: Parameters<LogFn>, method: LogFn): void {
  const short = args.map((arg: unknown) => (typeof arg === 'string' ? cut(arg, LIMITS.text) : arg));
  method.apply(this, short as Parameters<LogFn>);
}

/** What fields alone do not bound: many of them, and those of a child logger. */
function cutLine(line: string): string {
  if (line.length <= LINE_LIMIT) return line;
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const text = JSON.stringify({ level, time, ...(cutStrings(rest, LIMITS) as object), msg });
  if (text.length <= LINE_LIMIT) return `${text}\n`;
  return `${JSON.stringify({ level, time, fields: cut(JSON.stringify(rest), LIMITS.text), msg })}\n`;
}

/** A logger that drops everything, for tests and for short-lived commands. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}

/** The request's ids, but for those that the line has anyway. */
function scopeOf(line: object, _level: number, logger: Logger): object {
  const scope = requestScope();
  if (scope === undefined) return {};
  const known = { ...logger.bindings(), ...line };
  return Object.fromEntries(Object.entries(scope).filter(([key]) => !(key in known)));
}

const WARN = 40;
const LEVELS: Readonly<Record<number, string>> = {
  ...{ 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', [WARN]: 'WARN', 50: 'ERROR', 60: 'FATAL' },
};

function toText(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${quote(value)}`);
  const message = String(msg).replaceAll('\n', ' ');
  return `${[String(time), LEVELS[Number(level)] ?? String(level), message, ...fields].join(' ')}\n`;
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w./:@-]+$/.test(text) ? text : JSON.stringify(text);
}
