import { describe, expect, it } from '@jest/globals';
import { pino } from 'pino';

import { updateRuntimeConfig } from './update-runtime-config.js';

describe('UpdateRuntimeConfig', () => {
  it.each([
    [{ runtimeConfig: { networkConfig: { podCidr: '10.1.0.0/24' } } }, '10.1.0.0/24'],
    [{}, ''],
  ])('accepts %j and logs the range of addresses', async (request, podCidr) => {
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
    const call = { requestId: '1', logger, signal: new AbortController().signal };
    expect(await updateRuntimeConfig()(request as never, call)).toEqual({});
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual([expect.objectContaining({ podCidr })]);
  });
});
