import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

import { describe, expect, it } from '@jest/globals';

import { ConnectionLimit } from './connection-limit.js';

describe('ConnectionLimit', () => {
  function make(max: number) {
    const refused: string[] = [];
    const talking = new Set<string>();
    const name = (socket: Socket): string => (socket as unknown as { name: string }).name;
    const limit = new ConnectionLimit({
      max,
      isSilent: (socket) => !talking.has(name(socket)),
      refuse: (socket) => refused.push(name(socket)),
    });
    const connect = (name: string): Socket => {
      const socket = Object.assign(new EventEmitter(), { name }) as unknown as Socket;
      limit.admit(socket);
      return socket;
    };
    return { limit, connect, refused, talking };
  }

  it('has the oldest silent one make room', () => {
    const { connect, refused, talking } = make(3);
    for (const name of ['a', 'b', 'c']) connect(name);
    talking.add('a');
    for (const name of ['d', 'e']) connect(name);
    expect(refused).toEqual(['b', 'c']);
  });

  it('refuses the new one where all talk, until one has ended', () => {
    const { limit, connect, refused, talking } = make(2);
    for (const name of ['a', 'b']) talking.add(name);
    const [first] = [connect('a'), connect('b'), connect('c')];
    expect(refused).toEqual(['c']);
    first.emit('close');
    connect('d');
    expect(refused).toEqual(['c']);
    expect(limit.size).toBe(2);
  });
});
