import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

import { describe, expect, it } from '@jest/globals';

import { ConnectionLimit } from './connection-limit.js';

describe('ConnectionLimit', () => {
  function make(max: number, gone: ReadonlySet<string> = new Set()) {
    const refused: string[] = [];
    const talking = new Set<string>();
    let looks = 0;
    const name = (socket: Socket): string => (socket as unknown as { name: string }).name;
    const limit = new ConnectionLimit({
      max,
      isSilent: (socket) => looks++ >= 0 && !talking.has(name(socket)),
      isGone: (socket) => looks++ >= 0 && gone.has(name(socket)),
      refuse: (socket) => refused.push(name(socket)),
    });
    const connect = (name: string): Socket => {
      const socket = Object.assign(new EventEmitter(), { name, destroy: () => undefined }) as unknown as Socket;
      limit.admit(socket);
      return socket;
    };
    return { limit, connect, refused, talking, looks: () => looks };
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

  it('has those that are gone make room before it refuses', () => {
    const gone = new Set<string>();
    const { limit, connect, refused, talking } = make(10, gone);
    for (let n = 0; n < 10; n++) {
      talking.add(`${n}`);
      connect(`${n}`);
    }
    gone.add('7');
    connect('new');
    expect([refused, limit.size]).toEqual([[], 10]);
  });

  it('looks at few connections for each that comes, however many there are', () => {
    const { connect, talking, looks } = make(2_000);
    for (let n = 0; n < 10_000; n++) {
      if (n % 10 === 0) talking.add(`${n}`);
      connect(`${n}`);
    }
    expect(looks()).toBeLessThan(10 * 10_000);
  });
});
