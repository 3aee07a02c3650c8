import type { Pressure, PressureLine } from './types.js';

const LINE = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/;

/** A `*.pressure` file; undefined where there is none, or pressure is switched off. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  const lines = (text ?? '').split('\n').flatMap((line) => {
    const match = LINE.exec(line.trim());
    return match === null ? [] : [[match[1] as 'some' | 'full', pressureLine(match)] as const];
  });
  return lines.length === 0 ? undefined : Object.fromEntries(lines);
}

function pressureLine([, , avg10, avg60, avg300, total]: readonly string[]): PressureLine {
  return {
    totalNs: BigInt(total ?? 0) * 1000n,
    avg10: Number(avg10),
    avg60: Number(avg60),
    avg300: Number(avg300),
  };
}
