import type { IncomingMessage } from 'node:http';

import { describe, expect, it } from '@jest/globals';

import { checkOrigin } from './check-origin.js';

function statusOf(headers: IncomingMessage['headers']): number | undefined {
  return checkOrigin({ headers })?.status;
}

describe('checkOrigin', () => {
  it.each([
    { host: '127.0.0.1:1234' },
    { host: '127.0.0.1' },
    { host: '[::1]:1234' },
    { host: '10.0.0.1:1234' },
    { host: 'localhost:1234' },
    { host: '127.0.0.1:1234', origin: 'http://127.0.0.1:1234' },
    { host: '[::1]:1234', origin: 'https://[::1]:1234' },
    { host: '127.0.0.1', origin: 'http://127.0.0.1' },
    { host: '127.0.0.1:443', origin: 'https://127.0.0.1' },
    // From kubelet, which hands on what its clients sent.
    { host: 'node-1.example:10250', 'x-forwarded-for': '10.0.0.9' },
    { host: 'api.example', origin: 'https://dashboard.example', 'x-forwarded-for': '10.0.0.9, 10.0.0.1' },
  ])('takes %j', (headers) => {
    expect(statusOf(headers)).toBeUndefined();
  });

  it.each([
    { host: '127.0.0.1:1234', origin: 'http://evil.example' },
    { host: '127.0.0.1:1234', origin: 'http://127.0.0.1:1235' },
    { host: '127.0.0.1:1234', origin: 'http://127.0.0.1.evil.example:1234' },
    { host: '127.0.0.1:1234', origin: 'null' },
    { host: '127.0.0.1:1234', origin: '' },
    { host: '127.0.0.1:1234', origin: 'file://' },
    { host: 'evil.example:1234', origin: 'http://evil.example:1234' },
    { host: 'evil.example:1234' },
    { host: 'localhost.evil.example' },
    { host: '127.0.0.1.evil.example' },
    { host: 'user@127.0.0.1@evil.example' },
    { host: '' },
    {},
  ])('refuses %j', (headers) => {
    expect(statusOf(headers)).toBe(403);
  });
});
