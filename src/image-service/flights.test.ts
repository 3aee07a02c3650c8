import { describe, expect, it } from '@jest/globals';

import { codeOf } from '../base/errors.js';
import { Flights } from './flights.js';

/** Work that ends when told, and that notes how often it was begun and whether it was aborted. */
function controlled() {
  const begun: AbortSignal[] = [];
  let finish: (value: string) => void = () => undefined;
  const start = (signal: AbortSignal): Promise<string> => {
    begun.push(signal);
    return new Promise((resolve, reject) => {
      finish = resolve;
      signal.addEventListener('abort', () => reject(new TypeError('aborted')));
    });
  };
  return { begun, start, finish: (value: string) => finish(value) };
}

describe('Flights', () => {
  it('do the work once for all who ask meanwhile, and again for who asks later', async () => {
    const work = controlled();
    const flights = new Flights<string>();
    const both = [flights.join('k', work.start), flights.join('k', work.start)];
    const other = flights.join('other', () => Promise.resolve('o'));
    work.finish('done');
    expect(await Promise.all([...both, other])).toEqual(['done', 'done', 'o']);
    expect(work.begun).toHaveLength(1);
    const later = flights.join('k', work.start);
    work.finish('again');
    expect(await later).toBe('again');
    expect([work.begun.length, flights.peek('k')]).toEqual([2, undefined]);
  });

  it('go on when one of several leaves', async () => {
    const work = controlled();
    const flights = new Flights<string>();
    const leaver = new AbortController();
    const leaving = flights.join('k', work.start, leaver.signal).catch(codeOf);
    const staying = flights.join('k', work.start);
    leaver.abort();
    expect(await leaving).toBe('cancelled');
    expect(work.begun[0]?.aborted).toBe(false);
    work.finish('done');
    expect(await staying).toBe('done');
  });

  it('are aborted when the last one leaves, and nobody joins them then', async () => {
    const work = controlled();
    const flights = new Flights<string>();
    const leaver = new AbortController();
    const leaving = flights.join('k', work.start, leaver.signal).catch(codeOf);
    leaver.abort();
    expect(await leaving).toBe('cancelled');
    expect(work.begun[0]?.aborted).toBe(true);
    const next = flights.join('k', work.start);
    work.finish('fresh');
    expect(await next).toBe('fresh');
    expect(work.begun).toHaveLength(2);
  });

  it('give their failure to everybody', async () => {
    const flights = new Flights<string>();
    const fail = (): Promise<string> => Promise.reject(new TypeError('no'));
    const both = await Promise.allSettled([flights.join('k', fail), flights.join('k', fail)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await flights.join('k', () => Promise.resolve('ok'))).toBe('ok');
  });
});
