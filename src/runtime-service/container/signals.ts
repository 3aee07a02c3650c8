import { constants } from 'node:os';

/** The first and last real-time signal as programs count them: the C library keeps 32 and 33 for itself. */
const RTMIN = 34;
const RTMAX = 64;

const NUMBERS: Readonly<Record<string, number>> = { ...constants.signals, SIGCLD: constants.signals.SIGCHLD };

/**
 * A signal as CRI's enum names it, of what requests and images say: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`,
 * `SIGRTMINPLUS3`. Undefined where there is no such signal.
 */
export function signalName(text: string): string | undefined {
  const number = numberOf(text.trim().toUpperCase());
  if (number === undefined) return undefined;
  if (number < RTMIN) return Object.entries(NUMBERS).find(([, known]) => known === number)?.[0];
  if (number === RTMIN || number === RTMAX) return number === RTMIN ? 'SIGRTMIN' : 'SIGRTMAX';
  return number - RTMIN <= 15 ? `SIGRTMINPLUS${number - RTMIN}` : `SIGRTMAXMINUS${RTMAX - number}`;
}

/** The number of a signal that {@link signalName} gave. */
export function signalNumber(name: string): number {
  return numberOf(name) ?? constants.signals.SIGTERM;
}

function numberOf(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) return inRange(Number(text));
  const name = text.startsWith('SIG') ? text : `SIG${text}`;
  const realTime = /^SIGRT(MIN|MAX)(?:(PLUS|MINUS|[+-])(\d{1,2}))?$/.exec(name);
  if (realTime === null) return Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
  const [, base, sign = '', offset = '0'] = realTime;
  const isMin = base === 'MIN';
  if (sign !== '' && ['PLUS', '+'].includes(sign) !== isMin) return undefined;
  const number = isMin ? RTMIN + Number(offset) : RTMAX - Number(offset);
  return number >= RTMIN && number <= RTMAX ? number : undefined;
}

/** 32 and 33 are the C library's own. */
function inRange(number: number): number | undefined {
  return (number >= 1 && number < 32) || (number >= RTMIN && number <= RTMAX) ? number : undefined;
}
