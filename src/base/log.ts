import { pino, type Logger } from 'pino';

import { requestScope } from './request-scope.js';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** `json` writes one object a line; `text` writes `time LEVEL message key=value …` for people. */
  readonly format: 'json' | 'text';
}

/** A logger that writes to standard error; lines written in a request carry its ids, wherever that is. */
export function createLogger(options: LogOptions): Logger {
  const base = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, mixin: scopeOf };
  const destination = pino.destination({ fd: 2, sync: true });
  if (options.format === 'json') return pino(base, destination);
  return pino(base, { write: (line: string) => destination.write(toText(line)) });
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

const LEVELS: Readonly<Record<number, string>> = { 10: 'TRACE', 20: 'DEBUG', 30: 'INFO', 40: 'WARN', 50: 'ERROR' };

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
