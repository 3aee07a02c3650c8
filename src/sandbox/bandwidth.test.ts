import { expect, it } from '@jest/globals';

import { thrown } from '../base/testing.js';
import { bandwidthOf } from './bandwidth.js';

const INGRESS = 'kubernetes.io/ingress-bandwidth';
const EGRESS = 'kubernetes.io/egress-bandwidth';
const burst = 2 ** 31 - 1;

it.each([
  [{}, undefined],
  [{ other: '10M' }, undefined],
  [{ [INGRESS]: '0' }, undefined],
  [{ [INGRESS]: '10M' }, [10e6, burst, 0, 0]],
  [{ [EGRESS]: '1.5Ki', [INGRESS]: '7' }, [7, burst, 1536, burst]],
  [{ [EGRESS]: '1Gi' }, [0, 0, 2 ** 30, burst]],
])('of %p is %p', (annotations, expected) => {
  const found = bandwidthOf(annotations);
  const { ingressRate, ingressBurst, egressRate, egressBurst } = found ?? {};
  expect(found && [ingressRate, ingressBurst, egressRate, egressBurst]).toEqual(expected);
});

it.each(['', 'much', '-1M', '10m', '10ki', '1e6', '10 M', '0x10'])('refuses "%s"', (text) => {
  expect(thrown(() => bandwidthOf({ [EGRESS]: text }))).toMatchObject({
    code: 'invalid-argument',
    message: `annotation ${EGRESS} is no quantity: "${text}"`,
  });
});
