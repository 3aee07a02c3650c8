import { describe, expect, it } from '@jest/globals';

import { isId } from '../../base/ids.js';
import { thrown } from '../../base/testing.js';
import { podConfig } from '../../sandbox/testing.js';
import { containerName } from './name.js';
import { makeRecord } from './record.js';
import { containerConfig, IMAGE, SECURITY } from './testing.js';
import type { ContainerConfig } from './types.js';

const MADE = { path: '/usr/bin/runc', root: '/state/runtime/runc', cgroupDriver: 'cgroupfs' } as const;

interface Wish {
  readonly logDirectory?: string;
  readonly config?: Partial<ContainerConfig>;
  readonly stopSignal?: string;
  readonly privilegedSandbox?: boolean;
}

function make(wish: Wish = {}) {
  const { logDirectory = '/var/log/pods/a', config = {}, stopSignal = '' } = wish;
  const pod = podConfig({ logDirectory, privileged: wish.privilegedSandbox ?? false });
  return makeRecord({
    name: 'n',
    config: containerConfig(config),
    sandbox: {
      ...{ id: 's', config: pod, requestDigest: 'd', createdAt: '1', handler: 'runc' },
      cgroupParent: '/x',
    },
    image: { ...IMAGE, config: { ...IMAGE.config, stopSignal } },
    imageNames: { name: 'test/busybox:1', digested: 'test/busybox@sha256:2222' },
    requestDigest: 'digest',
    made: { handler: 'runc', runtime: MADE },
    stateDir: '/state',
  });
}

describe('makeRecord', () => {
  it('takes the rest from sandbox and image', () => {
    const record = make();
    expect(record).toMatchObject({
      ...{ name: 'n', sandboxId: 's', requestDigest: 'digest', handler: 'runc', imageId: IMAGE.id },
      ...{ runtime: MADE, stateDir: '/state', cgroupParent: '/x' },
      ...{ imageName: 'test/busybox:1', imageRef: 'test/busybox@sha256:2222' },
    });
    expect(isId(record.id)).toBe(true);
  });

  it('lets privileged containers only where the sandbox was asked for them', () => {
    const config = { security: { ...SECURITY, privileged: true } };
    expect(make({ config, privilegedSandbox: true }).config.security.privileged).toBe(true);
    expect(thrown(() => make({ config }))).toMatchObject({
      code: 'failed-precondition',
      message: 'sandbox "s" takes no privileged containers',
    });
  });

  it.each([
    ['/var/log/pods/a', 'web/0.log', '/var/log/pods/a/web/0.log'],
    ['/var/log/pods/a/', '0.log', '/var/log/pods/a/0.log'],
    ['/var/log//pods/a', './web/../0.log', '/var/log/pods/a/0.log'],
    ['/', '0.log', '/0.log'],
    ['', '0.log', ''],
    ['/var/log/pods/a', '', ''],
  ])('has the log of directory "%s" and path "%s" at "%s"', (logDirectory, logPath, path) => {
    expect(make({ logDirectory, config: { logPath } }).logPath).toBe(path);
  });

  it.each(['../b/0.log', '../a2/0.log', '..', '.', 'web/../..', '/../../../../etc/passwd'])(
    'keeps the log "%s" in its directory',
    (logPath) => {
      expect(thrown(() => make({ config: { logPath } }))).toMatchObject({
        code: 'invalid-argument',
        message: `log_path "${logPath}" leaves the log directory`,
      });
    },
  );

  it.each(['web/', '0.log\0'])('takes %j for no file', (logPath) => {
    expect(thrown(() => make({ config: { logPath } }))).toMatchObject({ code: 'invalid-argument' });
  });

  it.each([
    ['', '', 'SIGTERM'],
    ['', 'SIGQUIT', 'SIGQUIT'],
    ['', 'SIGRTMIN+3', 'SIGRTMINPLUS3'],
    ['', '9', 'SIGKILL'],
    ['', '77', 'SIGTERM'],
    ['SIGINT', 'SIGQUIT', 'SIGINT'],
  ])('stops by the request’s signal "%s" before the image’s "%s"', (asked, ofImage, expected) => {
    expect(make({ config: { stopSignal: asked }, stopSignal: ofImage }).stopSignal).toBe(expected);
  });

  it('refuses a request’s that there is not', () => {
    expect(thrown(() => make({ config: { stopSignal: 'SIGNONE' } }))).toMatchObject({
      code: 'invalid-argument',
      message: 'unknown stop signal "SIGNONE"',
    });
  });
});

it('names a container by its pod and attempt', () => {
  const pod = { name: 'web', namespace: 'shop', uid: 'u1', attempt: 3 };
  expect(containerName({ name: 'app', attempt: 2 }, pod)).toBe('app_web_shop_u1_2');
});
