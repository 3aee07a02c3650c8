import { closeSync, readdirSync, readSync, writeSync } from 'node:fs';
import { once } from 'node:events';

import { describe, expect, it } from '@jest/globals';

import { start } from '../spawn.js';
import { until } from '../testing.js';
import { bytesWaiting, closeAll, hasHungUp, makePipe, openDescriptor, readRest } from './descriptor.js';
import { readProcess } from './process.js';
import { openTerminal, setTerminalSize } from './terminal.js';

describe('a socket', () => {
  it('is asked whether it was hung up on while children end, whose signals cut calls short', async () => {
    const { read, write } = makePipe();
    const children = Array.from({ length: 40 }, () => start('sleep', ['0.05'], { stdio: 'ignore' }));
    // None of them is reaped before this turn is over.
    const live = (): boolean => children.some(({ pid = 0 }) => readProcess(pid) !== undefined);
    while (live()) for (let count = 0; count < 2_000; count++) expect(hasHungUp(read)).toBe(false);
    await Promise.all(children.map((child) => (child.exitCode === null ? once(child, 'exit') : Promise.resolve())));
    closeSync(write);
    expect(hasHungUp(read)).toBe(true);
    closeSync(read);
  });
});

describe('a pipe', () => {
  it('is one that a child can open anew, and tells how much waits in it', async () => {
    const { read, write } = makePipe();
    const child = start('/bin/sh', ['-c', 'echo out > /proc/self/fd/1'], { stdio: ['ignore', write, 'ignore'] });
    await once(child, 'exit');
    expect(bytesWaiting(read)).toBe(4);
    closeSync(write);
    expect(Buffer.concat([...readRest(read)]).toString()).toBe('out\n');
    closeSync(read);
  });

  it('is a stream that closes with itself', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const { read, write } = makePipe();
    const [source, target] = [
      openDescriptor(read, { readable: true, writable: false }),
      openDescriptor(write, { readable: false, writable: true }),
    ];
    const chunks: Buffer[] = [];
    source.on('data', (chunk: Buffer) => chunks.push(chunk));
    target.write(Buffer.alloc(300_000), () => target.destroy());
    await once(source, 'close');
    expect(Buffer.concat(chunks)).toHaveLength(300_000);
    await until(() => readdirSync('/proc/self/fd').length === before);
  });
});

describe('a terminal', () => {
  it('changes nothing on the way', () => {
    const { master, slave } = openTerminal();
    const buffer = Buffer.alloc(100);
    const text = 'a\r\n\x03\x04\x1a\x11\xff';
    writeSync(master, Buffer.from(text, 'latin1'));
    expect(buffer.toString('latin1', 0, readSync(slave, buffer))).toBe(text);
    writeSync(slave, Buffer.from(text, 'latin1'));
    expect(buffer.toString('latin1', 0, readSync(master, buffer))).toBe(text);
    closeAll([master, slave]);
  });

  it('has the size that it is given', async () => {
    const { master, slave } = openTerminal();
    setTerminalSize(master, { width: 132, height: 43 });
    const { read, write } = makePipe();
    const child = start('stty', ['size'], { stdio: [slave, write, 'ignore'] });
    await once(child, 'exit');
    closeAll([master, slave, write]);
    expect(Buffer.concat([...readRest(read)]).toString()).toBe('43 132\n');
    closeSync(read);
  });

  it('gives all that was written before it hung up', async () => {
    const { master, slave } = openTerminal();
    const socket = openDescriptor(master, { readable: true, writable: true });
    const child = start('/bin/sh', ['-c', 'seq 1 3000'], { stdio: ['ignore', slave, 'ignore'] });
    closeSync(slave);
    const chunks: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => {
      chunks.push(...readRest(master));
      socket.destroy();
    });
    const closed = new Promise((resolve) => socket.on('close', resolve));
    await Promise.all([once(child, 'exit'), closed]);
    const lines = Buffer.concat(chunks).toString().trim().split('\n');
    expect([lines.length, lines.at(-1)]).toEqual([3_000, '3000']);
  });
});
