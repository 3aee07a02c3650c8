import { describe, expect, it } from '@jest/globals';

import { COSIGN_TYPE, readClaim } from './simple-signing.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = `"image":{"docker-manifest-digest":"${DIGEST}"}`;
const IDENTITY = '"identity":{"docker-reference":"r.test/x:v1"}';
const TYPE = '"type":"cosign container image signature"';
const CRITICAL = `"critical":{${IDENTITY},${IMAGE},${TYPE}}`;

describe('readClaim', () => {
  it.each([
    ['what cosign writes', 'null'],
    ['annotations of all kinds', '{"creator":"me","timestamp":1700000000,"build":{"a":[1]}}'],
  ])('reads %s', (_, optional) => {
    expect(readClaim(Buffer.from(`{${CRITICAL},"optional":${optional}}`), COSIGN_TYPE)).toEqual({
      digest: DIGEST,
      reference: 'r.test/x:v1',
    });
  });

  it.each([
    ['no JSON', 'x'],
    ['no object', '[]'],
    ['nothing optional', `{${CRITICAL}}`],
    ['a list for what is optional', `{${CRITICAL},"optional":[]}`],
    ['a creator that is no text', `{${CRITICAL},"optional":{"creator":1}}`],
    ['a time that is no whole number', `{${CRITICAL},"optional":{"timestamp":1.5}}`],
    ['an unknown key', `{${CRITICAL},"optional":null,"more":1}`],
    ['an unknown key that is critical', `{"critical":{${IDENTITY},${IMAGE},${TYPE},"until":1},"optional":null}`],
    ['another type', `{${CRITICAL.replace('cosign', 'atomic')},"optional":null}`],
    ['two names', `{"critical":{${IDENTITY.replace('x:v1', 'y:v1')},${IDENTITY},${IMAGE},${TYPE}},"optional":null}`],
    ['two names in one', `{${CRITICAL.replace('"docker-r', '"docker-reference":"y","docker-r')},"optional":null}`],
    ['a digest that is no text', `{${CRITICAL.replace(`"${DIGEST}"`, '1')},"optional":null}`],
  ])('takes nothing from a payload with %s', (_, payload) => {
    expect(readClaim(Buffer.from(payload), COSIGN_TYPE)).toBeUndefined();
  });
});
