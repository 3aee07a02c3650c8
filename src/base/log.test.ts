import { describe, expect, it } from '@jest/globals';

import { MINIMAL_ENV, runOk } from './spawn.js';

/** What a logger of these options writes to standard error when told `call`. */
async function logged(options: object, call: string): Promise<string> {
  const module = new URL('./log.js', import.meta.url).href;
  const code = `import { createLogger } from '${module}';
    const logger = createLogger(${JSON.stringify(options)}); ${call}`;
  const args = ['--input-type=module', '-e', code];
  const { stdout, stderr } = await runOk(process.execPath, args, { timeoutMs: 20_000, env: MINIMAL_ENV });
  expect(stdout.toString()).toBe('');
  return stderr.toString();
}

describe('createLogger', () => {
  it('writes JSON, an object a line, above its level', async () => {
    const call = `logger.debug('no'); logger.child({ sandbox: 'a' }).info({ n: 1 }, 'made'); logger.error('bad')`;
    const lines = (await logged({ level: 'info', format: 'json' }, call)).trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as object);
    expect(entries).toEqual([
      { level: 30, time: expect.stringMatching(/^\d{4}-.*Z$/), sandbox: 'a', n: 1, msg: 'made' },
      { level: 50, time: expect.stringMatching(/Z$/), msg: 'bad' },
    ]);
  });

  it('writes text for people, a line an entry whatever is in it', async () => {
    const call = `logger.warn({ id: 'a/b:1', why: 'x y', many: [1], bad: 'a\\nb' }, 'two\\nlines'); logger.info('no')`;
    const text = await logged({ level: 'warn', format: 'text' }, call);
    expect(text).toMatch(/^\S+Z WARN two lines id=a\/b:1 why="x y" many="\[1\]" bad="a\\nb"\n$/);
  });
});
