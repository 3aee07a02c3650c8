import { invalidArgument, type GantryError } from '../base/errors.js';

/** Where in the configuration a value stands; lines count from 1. */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

/** Something wrong with the configuration: where, at which key, what. */
export interface Problem {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly key?: string | undefined;
  readonly message: string;
}

/** `/etc/gantry/gantry.yaml:12: log.level: expected …`; what is not known is left out. */
export function formatProblem(problem: Problem): string {
  const line = problem.line === undefined ? '' : `:${problem.line}`;
  const place = problem.file === undefined ? [] : [`${problem.file}${line}`];
  const key = problem.key === undefined ? [] : [problem.key];
  return [...place, ...key, problem.message].join(': ');
}

/** One error that tells all problems, a line each, in the order of reading. */
export function problemsError(problems: readonly Problem[]): GantryError {
  return invalidArgument(problems.map(formatProblem).join('\n'));
}
