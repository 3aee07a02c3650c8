import { describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { signalName, signalNumber } from './signals.js';

describe('signalName', () => {
  it.each([
    ['SIGTERM', 'SIGTERM', 15],
    ['term', 'SIGTERM', 15],
    [' SIGKILL ', 'SIGKILL', 9],
    ['15', 'SIGTERM', 15],
    ['1', 'SIGHUP', 1],
    ['SIGCLD', 'SIGCHLD', 17],
    ['34', 'SIGRTMIN', 34],
    ['SIGRTMIN', 'SIGRTMIN', 34],
    ['SIGRTMIN+3', 'SIGRTMINPLUS3', 37],
    ['RTMIN+3', 'SIGRTMINPLUS3', 37],
    ['SIGRTMINPLUS3', 'SIGRTMINPLUS3', 37],
    ['37', 'SIGRTMINPLUS3', 37],
    ['SIGRTMIN+15', 'SIGRTMINPLUS15', 49],
    ['SIGRTMIN+16', 'SIGRTMAXMINUS14', 50],
    ['SIGRTMAX-1', 'SIGRTMAXMINUS1', 63],
    ['SIGRTMAXMINUS1', 'SIGRTMAXMINUS1', 63],
    ['64', 'SIGRTMAX', 64],
  ])('of %s is %s', (text, name, number) => {
    expect(signalName(text)).toBe(name);
    expect(signalNumber(name)).toBe(number);
  });

  it.each([
    ...['', 'SIG', 'SIGNAL', '0', '32', '33', '65', '-1', '999', '1.5', 'SIGRTMIN-1', 'SIGRTMAX+1', 'SIGRTMIN+31'],
    ...['SIGRTMAXPLUS1', 'TOSTRING', 'constructor', '__proto__', 'SIGTERM\0'],
  ])('knows no %j', (text) => {
    expect(signalName(text)).toBeUndefined();
  });

  it('knows every signal of CRI', () => {
    const names = Object.keys(runtime.v1.Signal).filter((name) => name !== 'RUNTIME_DEFAULT');
    expect(names.length).toBeGreaterThan(60);
    for (const name of names) {
      const found = signalName(name);
      expect(Object.hasOwn(runtime.v1.Signal, found ?? '')).toBe(true);
      expect(signalNumber(found ?? '')).toBe(signalNumber(name));
    }
  });
});
