import { describe, expect, it } from '@jest/globals';
import { status } from '@grpc/grpc-js';

import { ERROR_CODES, GantryError, notFound, signatureRefused, unstartable, wrapError } from '../base/errors.js';
import { toStatus } from './codes.js';

describe('toStatus', () => {
  it.each(ERROR_CODES.filter((code) => code !== 'signature-validation-failed' && code !== 'unstartable'))(
    'gives %s the gRPC code of the same name',
    (code) => {
      const name = code.toUpperCase().replaceAll('-', '_') as keyof typeof status;
      expect(toStatus(new GantryError(code, 'x'))).toEqual({ code: status[name], details: 'x' });
    },
  );

  it('gives kubelet its own name of an error at the start of the message, where alone it looks for it', () => {
    const error = wrapError(signatureRefused('x is rejected'), 'pull x');
    expect(toStatus(error)).toEqual({
      code: status.UNKNOWN,
      details: 'SignatureValidationFailed: pull x: x is rejected',
    });
  });

  it('tells of a container that cannot be started as of any state that does not allow the call', () => {
    expect(toStatus(unstartable('x'))).toEqual({ code: status.FAILED_PRECONDITION, details: 'x' });
  });

  it('tells the causes with the message', () => {
    const error = notFound('container "a"', notFound('record /var/a'));
    expect(toStatus(error).details).toBe('container "a": record /var/a');
  });

  it('takes an error without a code for a bug', () => {
    const enoent = Object.assign(new Error('gone'), { code: 'ENOENT' });
    expect(toStatus(enoent)).toEqual({ code: status.INTERNAL, details: 'gone' });
    expect(toStatus('text')).toEqual({ code: status.INTERNAL, details: 'text' });
  });

  it('makes messages that percent-encoding accepts and a header holds', () => {
    const { details } = toStatus(notFound(`lone \ud800 surrogate ${'é'.repeat(10_000)}`));
    expect(() => encodeURI(details)).not.toThrow();
    // With the other headers below the 8 KiB that gRPC's own core takes.
    expect(encodeURI(details).length).toBeLessThan(7 * 1024);
    expect(details).toMatch(/^lone \ufffd surrogate é+…\[\d+ characters cut\]…é+$/);
  });
});
