import { describe, expect, it } from '@jest/globals';

import { containerEvents, sandboxEvents } from './pod-event.js';

/** Only id and state matter here. */
const container = (state: string) => ({ record: { id: 'c', sandboxId: 's' }, status: { state } });
const sandbox = (state: string) => ({ record: { id: 's' }, status: { state } });

function change(make: (state: string) => object, before: string, after: string): object {
  return {
    ...(before === 'gone' ? {} : { before: make(before) }),
    ...(after === 'gone' ? {} : { after: make(after) }),
  };
}

describe('events of containers', () => {
  it.each([
    ['gone', 'creating', []],
    ['creating', 'created', ['created']],
    ['creating', 'unstartable', ['created']],
    ['unstartable', 'exited', ['stopped']],
    ['created', 'created', []],
    ['created', 'running', ['started']],
    ['running', 'running', []],
    ['running', 'exited', ['stopped']],
    ['created', 'exited', ['stopped']],
    ['exited', 'removing', []],
    ['removing', 'gone', ['deleted']],
    // A creation that failed was never seen.
    ['creating', 'gone', []],
  ])('%s → %s is %j', (before, after, types) => {
    const events = containerEvents(change(container, before, after));
    expect(events).toEqual(types.map((type) => ({ type, id: 'c', sandboxId: 's' })));
  });
});

describe('events of sandboxes', () => {
  it.each([
    ['gone', 'creating', []],
    ['creating', 'ready', ['created', 'started']],
    ['ready', 'not-ready', ['stopped']],
    ['not-ready', 'not-ready', []],
    ['not-ready', 'removing', []],
    ['removing', 'gone', ['deleted']],
    ['creating', 'gone', []],
  ])('%s → %s is %j', (before, after, types) => {
    const events = sandboxEvents(change(sandbox, before, after));
    expect(events).toEqual(types.map((type) => ({ type, id: 's', sandboxId: 's' })));
  });
});
