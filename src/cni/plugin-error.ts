import { GantryError, type ErrorCode } from '../base/errors.js';
import { tail, type RunResult } from '../base/spawn.js';
import { isObject, type JsonObject } from './json.js';

/** "Container unknown": the runtime needs no cleanup (section 5, "Error"). */
export const CNI_UNKNOWN_CONTAINER = 3;

const CODES: Readonly<Record<number, ErrorCode>> = {
  1: 'failed-precondition', // incompatible version
  2: 'failed-precondition', // unsupported field in the configuration
  7: 'failed-precondition', // invalid configuration
  11: 'unavailable', // try again later
  50: 'unavailable', // the plugin cannot serve ADD
  51: 'unavailable', // as 50, and pods that run may have lost their network
};

/** A plugin that said no. `pluginCode` is the `code` of its error object, undefined where it printed none. */
export class CniPluginError extends GantryError {
  readonly plugin: string;
  readonly pluginCode: number | undefined;

  constructor(message: string, options: { code: ErrorCode; plugin: string; pluginCode?: number | undefined }) {
    super(options.code, message);
    this.plugin = options.plugin;
    this.pluginCode = options.pluginCode;
  }
}

/** The plugin's own code of an error, or undefined if it is not a {@link CniPluginError} or has none. */
export function pluginCodeOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('pluginCode' in error)) return undefined;
  return typeof error.pluginCode === 'number' ? error.pluginCode : undefined;
}

/** The error for a plugin that ended with another exit code than 0: what it printed as JSON, else the end of its output. */
export function pluginFailure(what: string, plugin: string, result: RunResult): CniPluginError {
  const said = errorObject(result.stdout) ?? errorObject(result.stderr);
  if (said !== undefined) {
    const pluginCode = said['code'] as number;
    const text = [said['msg'], said['details']].filter((part) => typeof part === 'string' && part !== '').join(': ');
    return new CniPluginError(`${what}: ${tail(text) || 'no message'} (code ${pluginCode})`, {
      code: CODES[pluginCode] ?? 'internal',
      plugin,
      pluginCode,
    });
  }
  return new CniPluginError(`${what}: exit code ${result.exitCode}: ${outputTail(result)}`, {
    code: 'internal',
    plugin,
  });
}

/** The end of what a plugin printed, for messages about output that makes no sense. */
export function outputTail(result: RunResult): string {
  const text = result.stderr.toString().trim() || result.stdout.toString().trim();
  // Control characters of a hostile plugin must not reach terminals and logs.
  // eslint-disable-next-line no-control-regex
  return text === '' ? 'no output' : tail(text, 500).replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

function errorObject(output: Buffer): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(output.toString());
    return isObject(value) && Number.isInteger(value['code']) ? value : undefined;
  } catch {
    return undefined;
  }
}
