import { describe, expect, it } from '@jest/globals';

import { cniArgs } from './cni-args.js';
import { pod } from './testing.js';

describe('CNI_ARGS', () => {
  it('tells plugins which pod it is', () => {
    const request = pod({ sandboxId: 'ab12', name: 'web-0', namespace: 'shop', uid: 'u-1' });
    expect(cniArgs(request)).toBe(
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=ab12;K8S_POD_UID=u-1',
    );
  });

  it.each(['a;K8S_POD_NAMESPACE=kube-system', 'a=b', 'a\0b'])(
    'refuses %j, which plugins would read as pairs',
    (name) => {
      expect(() => cniArgs(pod({ name }))).toThrow('K8S_POD_NAME');
      expect(() => cniArgs(pod({ uid: name }))).toThrow('K8S_POD_UID');
    },
  );
});
