import { describe, expect, it } from '@jest/globals';

import { parseNetworkConfig } from './network-config.js';

const LIST = { cniVersion: '1.0.0', name: 'pods', plugins: [{ type: 'bridge', mtu: 1400 }, { type: 'portmap' }] };

describe('a network configuration', () => {
  it('keeps what belongs to the plugins', () => {
    expect(parseNetworkConfig(LIST)).toEqual({
      name: 'pods',
      cniVersion: '1.0.0',
      disableCheck: false,
      disableGC: false,
      plugins: [{ type: 'bridge', mtu: 1400 }, { type: 'portmap' }],
    });
  });

  it('wraps a plugin that stands alone', () => {
    const config = parseNetworkConfig({ cniVersion: '0.3.1', name: 'lone', type: 'ptp', mtu: 9000 });
    expect(config.plugins).toEqual([{ cniVersion: '0.3.1', name: 'lone', type: 'ptp', mtu: 9000 }]);
  });

  it('takes the highest of cniVersion and cniVersions', () => {
    expect(parseNetworkConfig({ ...LIST, cniVersions: ['1.1.0', '9.0.0'] }).cniVersion).toBe('1.1.0');
    expect(parseNetworkConfig({ ...LIST, cniVersions: ['0.3.1'] }).cniVersion).toBe('1.0.0');
  });

  it('reads itself back, as records of attachments need it', () => {
    const config = parseNetworkConfig({ ...LIST, disableCheck: true, disableGC: true });
    expect(parseNetworkConfig(JSON.parse(JSON.stringify(config)) as Record<string, unknown>)).toEqual(config);
  });

  it.each([
    [{ ...LIST, name: undefined }, 'has no name'],
    [{ ...LIST, name: '../../etc' }, 'name "../../etc" has characters other than'],
    [{ ...LIST, name: 7 }, 'name is not a string'],
    [{ ...LIST, cniVersion: undefined }, 'has no cniVersion'],
    [{ ...LIST, cniVersion: '0.2.0' }, 'cniVersion 0.2.0 is not supported'],
    [{ ...LIST, cniVersions: '1.0.0' }, 'cniVersions is not a list of strings'],
    [{ ...LIST, plugins: [] }, 'lists no plugins'],
    [{ ...LIST, plugins: undefined }, 'lists no plugins'],
    [{ ...LIST, plugins: {} }, 'plugins is not a list of objects'],
    [{ ...LIST, plugins: [{}] }, 'a plugin has no type'],
    [{ ...LIST, plugins: [{ type: '../sh' }] }, 'plugin type "../sh" is not a file name'],
    [{ ...LIST, plugins: [{ type: '..' }] }, 'plugin type ".." is not a file name'],
    [{ ...LIST, plugins: [{ type: 'a\0b' }] }, 'is not a file name'],
    [{ ...LIST, plugins: [{ type: 'a', capabilities: ['mac'] }] }, 'plugin "a": capabilities is not an object'],
    [{ ...LIST, disableCheck: 'yes' }, 'disableCheck is not true or false'],
  ])('refuses %j', (value, message) => {
    expect(() => parseNetworkConfig(value)).toThrow(message);
  });
});
