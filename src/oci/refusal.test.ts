import { describe, expect, it } from '@jest/globals';

import { refusalIn, refusesDirectory } from './refusal.js';

describe('refusalIn', () => {
  it('knows a program by the end alone of what was said of a long one', () => {
    const said = `…${'x'.repeat(100)}": executable file not found in $PATH`;
    expect(refusalIn(said, 'x'.repeat(5_000))).toBe(said);
    expect(refusalIn('…": no space left on device', 'x')).toBeUndefined();
  });
});

describe('refusesDirectory', () => {
  const init = 'runc create failed: unable to start container process: error during container init: ';

  it.each([
    [`${init}mkdir /etc/passwd: not a directory`, '/etc/passwd', true],
    [`${init}mkdir /etc/passwd: not a directory`, '/etc/passwd/below', true],
    [`${init}mkdir /srv: read-only file system`, '/srv', true],
    [`${init}chdir to cwd ("/root") set in config.json failed: permission denied`, '/root', true],
    ['chdir: Not a directory', '/etc/passwd', true],
    ['mkdir `/etc/passwd`: Not a directory', '/', false],
    [`${init}mkdir /other: no space left on device`, '/srv', false],
    [`${init}error mounting "/a" to rootfs at "/srv": mkdir /run/x/rootfs/srv: not a directory`, '/srv', false],
  ])('of "%s" for %s is %s', (message, cwd, expected) => {
    expect(refusesDirectory(message, cwd)).toBe(expected);
  });
});
