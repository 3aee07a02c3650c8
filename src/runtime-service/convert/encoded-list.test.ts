import { describe, expect, it } from '@jest/globals';

import { runtime } from '../../../api/cri/generated/api.cjs';
import { EncodedList } from './encoded-list.js';

const { Container, ListContainersResponse, ListPodSandboxResponse, PodSandbox } = runtime.v1;

describe('EncodedList', () => {
  it('makes what encoding the whole response makes', () => {
    const containers = [{ id: 'a', labels: { x: 'y'.repeat(300) } }, { id: 'b' }, {}];
    const list = new EncodedList<object>((item) => Container.encode(item).finish());
    const whole = ListContainersResponse.encode({ containers }).finish();
    expect(Buffer.from(list.join(containers))).toEqual(Buffer.from(whole));
    const sandboxes = new EncodedList<object>((item) => PodSandbox.encode(item).finish());
    const items = [{ id: 'p', metadata: { name: 'n' } }];
    expect(ListPodSandboxResponse.decode(sandboxes.join(items)).items).toMatchObject(items);
    expect(list.join([])).toHaveLength(0);
  });

  it('encodes an object once', () => {
    let encoded = 0;
    const list = new EncodedList<object>((item) => {
      encoded++;
      return Container.encode(item).finish();
    });
    const one = { id: 'a' };
    const first = list.join([one, { id: 'b' }]);
    expect(list.join([one, { id: 'b' }])).toEqual(first);
    expect(encoded).toBe(3);
  });
});
