import { describe, expect, it } from '@jest/globals';

import { ociAnnotations } from './annotations.js';

const ORDERS = { 'run.oci.handler': 'wasm', 'org.systemd.property.MemoryMax': '1' };

describe('ociAnnotations', () => {
  it('lets nothing of a request pass unless it is permitted', () => {
    expect(ociAnnotations({ pod: ORDERS, container: ORDERS, facts: { 'x/id': '1' } })).toEqual({ 'x/id': '1' });
  });

  it('permits by name and pattern, those of pods and containers each', () => {
    const source = { pod: { a: '1', 'k.x': '1', 'k.y': '1' }, container: { a: '2', b: '2' }, facts: {} };
    expect(ociAnnotations(source, { pod: ['k.*'], container: ['a'] })).toEqual({ 'k.x': '1', 'k.y': '1', a: '2' });
    expect(ociAnnotations(source, { pod: ['*'], container: [] })).toEqual(source.pod);
  });

  it('has a container’s win over its pod’s, and what is so over both', () => {
    const source = { pod: { a: 'pod', id: 'forged' }, container: { a: 'own', id: 'forged' }, facts: { id: 'real' } };
    expect(ociAnnotations(source, { pod: ['*'], container: ['*'] })).toEqual({ a: 'own', id: 'real' });
  });
});
