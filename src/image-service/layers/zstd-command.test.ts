import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { codeOf } from '../../base/errors.js';
import { rejection } from '../../base/testing.js';
import { ZstdCommand } from './zstd-command.js';

const plain = Buffer.concat([Buffer.alloc(3_000_000, 'abc'), randomBytes(500_000)]);
const packed = execFileSync('zstd', ['-cq'], { input: plain });

async function through(data: Buffer, program?: string): Promise<Buffer> {
  const stream = new ZstdCommand(program);
  const result = stream.toArray();
  for (let at = 0; at < data.length; at += 65_536) stream.write(data.subarray(at, at + 65_536));
  stream.end();
  return Buffer.concat((await result) as Buffer[]);
}

describe('the zstd program', () => {
  it('unpacks what is whole, of one frame or several', async () => {
    expect((await through(packed)).equals(plain)).toBe(true);
    expect((await through(Buffer.concat([packed, packed]))).length).toBe(2 * plain.length);
  });

  it.each([
    ['cut off', packed.subarray(0, -100)],
    ['damaged', Buffer.concat([packed.subarray(0, 2000), Buffer.alloc(200_000, 0xff)])],
  ])('refuses what is %s', async (_what, data) => {
    expect(codeOf(await rejection(through(data)))).toBe('data-loss');
  });

  it('is named where it is missing', async () => {
    const error = await rejection(through(packed, 'no-such-zstd'));
    expect([codeOf(error), error.message]).toEqual([
      'unimplemented',
      expect.stringContaining('need Node 22.15 or later'),
    ]);
  });

  it('ends with the stream', async () => {
    const stream = new ZstdCommand();
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.write(packed.subarray(0, 1000));
    stream.destroy();
    await closed;
    expect(stream.destroyed).toBe(true);
  });
});
