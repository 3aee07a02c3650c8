import { posix } from 'node:path';

/** A process that a runtime was to start, as it was asked for. */
export interface AskedProcess {
  readonly program: string;
  /** Absolute. */
  readonly cwd: string;
}

/** runc: `exec: "name": reason`, `exec /path: reason`. */
const RUNC = /(?:^|: )(exec(?:: ".*"| \/\S*): .*)$/s;
/** The same where a long name has left only the end of what was said. */
const END_OF_RUNC = /^…[^"]*": executable file not found in \$PATH$/s;
/** crun: "executable file `name` not found in $PATH: …" and the like. */
const CRUN =
  /^(executable file|open executable|exec\b(?! failed)|the path `.*` (exists but it is not executable|is not a regular))/s;

/**
 * Of what a runtime says, the part that tells why a program cannot be executed, with the program's name, which crun leaves
 * out; undefined where it says something else.
 */
export function refusalIn(message: string, program: string): string | undefined {
  const runc = RUNC.exec(message)?.[1];
  if (runc !== undefined) return runc;
  if (END_OF_RUNC.test(message)) return message;
  if (!CRUN.test(message) && !message.startsWith(`open \`${program}\``)) return undefined;
  return message.includes(program) ? message : `"${program}": ${message}`;
}

/** Whether it tells that the working directory is none; runtimes make one that is missing, with all above it. */
export function refusesDirectory(message: string, cwd: string): boolean {
  if (/\bcwd\b|^chdir\b|\bcurrent working directory\b/i.test(message)) return true;
  const made = /(?:^|: )mkdir (\/.*?): /s.exec(message)?.[1];
  return made !== undefined && !posix.relative(made, cwd).startsWith('..');
}
