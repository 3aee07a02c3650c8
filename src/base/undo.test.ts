import { describe, expect, it } from '@jest/globals';

import { internal, notFound } from './errors.js';
import { silentLogger } from './log.js';
import { until } from './testing.js';
import { UndoRetries, UndoStack, withUndo } from './undo.js';

const logger = silentLogger();

describe('UndoStack', () => {
  it('unwinds last in, first out, past failures', async () => {
    const stack = new UndoStack();
    const seen: string[] = [];
    stack.push('first', () => void seen.push('first'));
    stack.push('throws', () => {
      throw notFound('x');
    });
    stack.push('rejects', () => Promise.reject(notFound('x')));
    stack.push('last', async () => {
      await Promise.resolve();
      seen.push('last');
    });
    const failed = await stack.unwind(logger);
    expect(seen).toEqual(['last', 'first']);
    expect(failed.map(({ name }) => name)).toEqual(['rejects', 'throws']);
    expect(await stack.unwind(logger)).toEqual([]);
    expect(seen).toHaveLength(2);
  });

  it('keeps a step that waits for all later ones while one of them fails', async () => {
    const stack = new UndoStack();
    const seen: string[] = [];
    let broken = true;
    stack.push('name', () => void seen.push('name'));
    stack.push('record', () => void seen.push('record'), { afterAll: true });
    stack.push('mount', () => {
      if (broken) throw internal('busy');
      seen.push('mount');
    });
    const retries = new UndoRetries(logger);
    const left = await stack.unwind(logger);
    expect([seen, left.map(({ name }) => name)]).toEqual([['name'], ['mount', 'record']]);
    retries.add(left);
    retries.add([{ name: 'of another', run: () => Promise.reject(internal('busy')) }]);
    await retries.retry();
    expect(retries.waiting).toEqual(['mount', 'record', 'of another']);
    broken = false;
    await retries.retry();
    expect([seen, retries.waiting]).toEqual([['name', 'mount', 'record'], ['of another']]);
    retries.stop();
  });

  it('forgets its steps on commit', async () => {
    const stack = new UndoStack();
    let ran = false;
    stack.push('step', () => void (ran = true));
    stack.commit();
    await stack.unwind(logger);
    expect(ran).toBe(false);
  });
});

describe('withUndo', () => {
  it('undoes nothing of what succeeded', async () => {
    const retries = new UndoRetries(logger);
    let undone = false;
    const result = await withUndo({ logger, retries }, (undo) => {
      undo.push('step', () => void (undone = true));
      return Promise.resolve('made');
    });
    expect([result, undone, retries.waiting]).toEqual(['made', false, []]);
  });

  it('rethrows the first error and keeps what could not be undone', async () => {
    const retries = new UndoRetries(logger);
    let broken = true;
    const made = withUndo({ logger, retries }, (undo) => {
      undo.push('stubborn', () => {
        if (broken) throw internal('busy');
      });
      undo.push('easy', () => undefined);
      throw notFound('image');
    });
    await expect(made).rejects.toMatchObject({ code: 'not-found', message: 'image' });
    expect(retries.waiting).toEqual(['stubborn']);
    broken = false;
    await retries.retry();
    expect(retries.waiting).toEqual([]);
    retries.stop();
  });
});

describe('UndoRetries', () => {
  it('tries in the order of failure, keeps what fails again, and loses nothing that comes meanwhile', async () => {
    const retries = new UndoRetries(logger);
    const seen: string[] = [];
    const step = (name: string, fails = false) => ({
      name,
      run: () => {
        seen.push(name);
        if (name === 'a') retries.add([step('late')]);
        if (fails) throw internal('busy');
      },
    });
    retries.add([step('a'), step('b', true), step('c')]);
    await retries.retry();
    expect(seen).toEqual(['a', 'b', 'c']);
    expect([...retries.waiting].sort()).toEqual(['b', 'late']);
    retries.stop();
  });

  it('holds up nobody for one that hangs', async () => {
    const retries = new UndoRetries(logger);
    const seen: string[] = [];
    let goOn = (): void => undefined;
    const hang = () => new Promise<void>((resolve) => (goOn = resolve));
    retries.add([{ name: 'hangs', run: hang }]);
    retries.add([{ name: 'works', run: () => void seen.push('works') }]);
    const retry = retries.retry();
    await until(() => seen.length === 1);
    retries.begin([{ name: 'now', run: () => void seen.push('now') }]);
    retries.begin([{ name: 'fails', run: () => Promise.reject(internal('busy')) }]);
    await until(() => seen.length === 2 && retries.waiting.length === 2);
    expect(retries.waiting).toEqual(['hangs', 'fails']);
    goOn();
    await Promise.all([retry, retries.idle()]);
    expect(retries.waiting).toEqual(['fails']);
    retries.stop();
    retries.begin([{ name: 'late', run: () => void seen.push('late') }]);
    await retries.idle();
    expect([seen, retries.waiting]).toEqual([
      ['works', 'now'],
      ['fails', 'late'],
    ]);
  });

  it('tries by itself at its interval until it works, and not after stop', async () => {
    const retries = new UndoRetries(logger, 10);
    let attempts = 0;
    const run = (): void => {
      if (++attempts < 3) throw internal('busy');
    };
    retries.add([{ name: 'step', run }]);
    await until(() => retries.waiting.length === 0 && attempts === 3);
    retries.stop();
    retries.add([{ name: 'late', run: () => undefined }]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(retries.waiting).toEqual(['late']);
  });
});
