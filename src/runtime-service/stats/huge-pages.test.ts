import { describe, expect, it } from '@jest/globals';

import { useScratch } from '../../base/testing.js';
import { writeCgroup } from './cgroup-fixture.js';
import { readHugePages } from './huge-pages.js';

const scratch = useScratch('huge-pages');
const SIZES = ['2MB', '1GB'];

describe('readHugePages', () => {
  it('reads v1, with the most that was ever taken', async () => {
    const host = { mount: scratch.root, version: 1 } as const;
    const files = {
      'hugetlb/hugetlb.2MB.usage_in_bytes': '4194304\n',
      'hugetlb/hugetlb.2MB.max_usage_in_bytes': '8388608\n',
    };
    await writeCgroup(host, '/pods/a', files);
    expect(await readHugePages(host, '/pods/a', SIZES)).toEqual([{ pageSize: '2MB', usage: 4194304n, peak: 8388608n }]);
  });

  it('reads v2', async () => {
    const host = { mount: scratch.root, version: 2 } as const;
    await writeCgroup(host, '/pods/a', { 'hugetlb.2MB.current': '0\n', 'hugetlb.1GB.current': '1073741824\n' });
    expect(await readHugePages(host, '/pods/a', SIZES)).toEqual([
      { pageSize: '2MB', usage: 0n },
      { pageSize: '1GB', usage: 1073741824n },
    ]);
  });

  it('is none without the controller', async () => {
    expect(await readHugePages({ mount: scratch.root, version: 1 }, '/pods/a', SIZES)).toEqual([]);
    expect(await readHugePages({ mount: scratch.root, version: 2 }, '/pods/a')).toEqual([]);
  });
});
