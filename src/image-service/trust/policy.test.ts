import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { codeOf } from '../../base/errors.js';
import { parseReference } from '../registry/reference.js';
import { parsePolicy, ruleForPath, ruleForReference } from './policy.js';

const ACCEPT = [{ type: 'insecureAcceptAnything' }];
const REJECT = [{ type: 'reject' }];
const pem = (type: 'ed25519' | 'x25519'): string =>
  generateKeyPairSync(type as 'ed25519').publicKey.export({ type: 'spki', format: 'pem' }) as string;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const KEY = base64(pem('ed25519'));

const failure = (content: unknown): { code: string | undefined; message: string } => {
  try {
    parsePolicy(typeof content === 'string' ? content : JSON.stringify(content), '/p.json');
  } catch (error) {
    return { code: codeOf(error), message: (error as Error).message };
  }
  throw new Error('was read');
};
/** A policy with one requirement for all images. */
const only = (requirement: object): object => ({ default: [requirement] });
const signed = (more: object): object => only({ type: 'sigstoreSigned', ...more });
/** A policy that accepts only what is in a file or directory. */
const paths = (transport: string, scope: string): object => ({
  default: REJECT,
  transports: { [transport]: { [scope]: ACCEPT } },
});
const identity = (signedIdentity: object): object => signed({ keyData: KEY, signedIdentity });

describe('parsePolicy', () => {
  it.each([
    [only({ type: 'lunar' }), 'type "lunar"'],
    [signed({ fulcio: {}, rekorPublicKeyPath: '/r' }), 'fulcio of sigstoreSigned'],
    [signed({ pki: {} }), 'pki of sigstoreSigned'],
    [signed({ keyData: KEY, rekorPublicKeyPaths: ['/r'] }), 'rekorPublicKeyPaths of sigstoreSigned'],
    [only({ type: 'signedBy', keyType: 'X509' }), 'keyType "X509" of signedBy'],
  ])('keeps in mind what cannot be checked: %j', (policy, what) => {
    expect(parsePolicy(JSON.stringify(policy), '/p.json').default).toEqual([{ type: 'unsupported', what }]);
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{', '/p.json is not JSON'],
    ['no object', '[]', '/p.json: it must be an object'],
    [
      'a key that stands twice',
      '{"default":[{"type":"reject"}],"default":[{"type":"reject"}]}',
      'has the key "default" twice',
    ],
    [
      'a key that stands twice, spelt in two ways',
      '{"default":[{"type":"x","t\\u0079pe":"reject"}]}',
      'has the key "type" twice',
    ],
    ['no default', {}, 'default must be a list that is not empty'],
    ['nothing required', { default: [] }, 'default must be a list that is not empty'],
    ['an unknown key', { default: ACCEPT, transport: {} }, '/p.json: transport is not known'],
    ['an unknown key in a requirement', only({ type: 'reject', but: 1 }), '/p.json: default[0].but is not known'],
    ['no type', only({}), 'default[0].type must be a text'],
    ['signedBy without a key', only({ type: 'signedBy', keyType: 'GPGKeys' }), 'default[0].keyPath is missing'],
    [
      'signedBy with a key that is none',
      only({ type: 'signedBy', keyType: 'GPGKeys', keyData: 'AAAA' }),
      'default[0].keyData is not the base64 of public keys: no public key of OpenPGP',
    ],
    [
      'an unknown key in signedBy',
      only({ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k', but: 1 }),
      'default[0].but is not known',
    ],
    ['no key', signed({}), 'default[0].keyPath is missing'],
    [
      'two fields for keys',
      signed({ keyData: KEY, keyPaths: ['/k'] }),
      'default[0].keyData cannot stand beside keyPaths',
    ],
    ['no keys', signed({ keyDatas: [] }), 'keyDatas must be a list that is not empty'],
    ['a relative path', signed({ keyPath: 'k' }), 'default[0].keyPath "k" is no absolute path'],
    ['what is no key', signed({ keyData: base64('x') }), 'default[0].keyData is not the base64 of a public key'],
    [
      'a key that signs nothing',
      signed({ keyDatas: [base64(pem('x25519'))] }),
      'default[0].keyDatas is not the base64 of a public key: a key of type x25519',
    ],
    ['an unknown identity', identity({ type: 'matchAny' }), 'default[0].signedIdentity.type "matchAny" is not known'],
    [
      'an identity with more',
      identity({ type: 'matchExact', dockerReference: 'x' }),
      'signedIdentity.dockerReference is not known',
    ],
    [
      'a reference without tag',
      identity({ type: 'exactReference', dockerReference: 'r.test/x' }),
      'dockerReference must be an image with tag or digest',
    ],
    [
      'a repository with tag',
      identity({ type: 'exactRepository', dockerRepository: 'r.test/x:v1' }),
      'dockerRepository must be a repository without',
    ],
    [
      'a prefix with tag',
      identity({ type: 'remapIdentity', prefix: 'r.test/x:v1', signedPrefix: 'a' }),
      'signedIdentity.prefix "r.test/x:v1" is no host',
    ],
    ['a relative path', paths('oci', 'srv'), 'transports.oci.srv is no scope'],
    ['a path with a slash at its end', paths('oci', '/srv/'), 'transports.oci["/srv/"] is no scope'],
    ['a path that goes up', paths('oci-archive', '/srv/../x'), 'transports["oci-archive"]["/srv/../x"] is no scope'],
    ['the root', paths('oci', '/'), 'transports.oci["/"] is no scope'],
    ['a path for archives of Docker', paths('docker-archive', '/srv'), '["/srv"] is no scope: docker-archive has only'],
  ])('refuses %s', (_, content, message) => {
    expect(failure(content)).toEqual({ code: 'failed-precondition', message: expect.stringContaining(message) });
  });

  it('reads what containers-policy.json(5) has', () => {
    const docker = {
      '': REJECT,
      'r.test': [{ type: 'sigstoreSigned', keyPaths: ['/a', '/b'], signedIdentity: { type: 'matchRepository' } }],
      'q.test': [{ type: 'sigstoreSigned', keyData: KEY }],
    };
    const { transports } = parsePolicy(JSON.stringify({ default: ACCEPT, transports: { docker } }), '/p.json');
    expect(transports.get('docker')?.get('r.test')).toEqual([
      { type: 'sigstoreSigned', keys: [{ path: '/a' }, { path: '/b' }], identity: { type: 'matchRepository' } },
    ]);
    expect(transports.get('docker')?.get('q.test')).toMatchObject([{ identity: { type: 'matchRepoDigestOrExact' } }]);
  });
});

describe('the rule for an image', () => {
  const scopes = [
    '',
    '*.test',
    '*.sub.test',
    'r.sub.test:5000',
    'r.sub.test:5000/team',
    'r.sub.test:5000/team/app',
    'r.sub.test:5000/team/app:v1',
    'docker.io/library/busybox',
  ];
  const policyOf = (names: readonly string[]): ReturnType<typeof parsePolicy> =>
    parsePolicy(
      JSON.stringify({
        default: ACCEPT,
        transports: { docker: Object.fromEntries(names.map((name) => [name, REJECT])) },
      }),
      '/p',
    );
  const scopeFor = (image: string, names = scopes): string | undefined =>
    /docker\["(.*)"\]/.exec(ruleForReference(policyOf(names), parseReference(image)).from)?.[1];

  it.each([
    ['r.sub.test:5000/team/app:v1', 'r.sub.test:5000/team/app:v1'],
    ['r.sub.test:5000/team/app:v2', 'r.sub.test:5000/team/app'],
    [`r.sub.test:5000/team/app@sha256:${'0'.repeat(64)}`, 'r.sub.test:5000/team/app'],
    ['r.sub.test:5000/team/application', 'r.sub.test:5000/team'],
    ['r.sub.test:5000/teams/app', 'r.sub.test:5000'],
    ['x.sub.test/app', '*.sub.test'],
    ['sub.test/app', '*.test'],
    ['test/app', ''],
    ['busybox', 'docker.io/library/busybox'],
    ['docker.io/other', ''],
    ['R.sub.TEST:5000/team/x', 'r.sub.test:5000/team'],
    ['X.SUB.test/app', '*.sub.test'],
  ])('is of the most specific scope for %s', (image, scope) => {
    expect(scopeFor(image)).toBe(scope);
  });

  it('is the default where no scope fits', () => {
    expect(scopeFor('other.example/x', ['r.test'])).toBeUndefined();
    expect(ruleForReference(policyOf(['r.test']), parseReference('x'))).toEqual({
      requirements: ACCEPT,
      from: '/p (default)',
    });
  });

  it('goes by directories for files', () => {
    const transports = { oci: { '/srv': REJECT, '/srv/good': ACCEPT } };
    const policy = parsePolicy(JSON.stringify({ default: ACCEPT, transports }), '/p');
    const types = ['/srv/good/x', '/srv/bad', '/other'].map(
      (path) => ruleForPath(policy, 'oci', path).requirements[0]?.type,
    );
    expect(types).toEqual(['insecureAcceptAnything', 'reject', 'insecureAcceptAnything']);
    expect(ruleForPath(policy, 'docker-archive', '/srv/bad').from).toBe('/p (default)');
    const archives = { default: ACCEPT, transports: { 'docker-archive': { '': REJECT } } };
    expect(ruleForPath(parsePolicy(JSON.stringify(archives), '/p'), 'docker-archive', '/x').requirements).toEqual(
      REJECT,
    );
  });
});
