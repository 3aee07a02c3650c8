import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { blobOf, imageOf, indexOf, writeLayout, HOST_ARCHITECTURE, type FixtureImage } from './image-fixture.js';
import { signatureImage, signatureTag, type FixtureSignature } from './signature-fixture.js';
import { useSigningHouse, type PushedImage } from './signing-fixture.js';

const KEYS = {
  ecdsa: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed25519: generateKeyPairSync('ed25519'),
  stranger: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};
type KeyName = keyof typeof KEYS;

const signing = useSigningHouse();
const { demand } = signing;

const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;
const keyData = (name: KeyName): string => Buffer.from(pemOf(KEYS[name].publicKey)).toString('base64');
const signedBy = (name: KeyName, more: object = {}): object => ({
  type: 'sigstoreSigned',
  keyData: keyData(name),
  ...more,
});

/** Pushes a new image and its signatures; a signature is true where nothing else is said. */
async function push(signatures: readonly Partial<FixtureSignature & { by: KeyName }>[]): Promise<PushedImage> {
  const pushed = await signing.push();
  const { repository, name, digest } = pushed;
  const complete = signatures.map(({ by = 'ecdsa', ...rest }) => ({
    key: KEYS[by].privateKey,
    digest,
    reference: name,
    ...rest,
  }));
  if (complete.length > 0) await signing.registry.push(repository, signatureTag(digest), signatureImage(complete));
  return pushed;
}

/** Signatures whose payloads would be bigger together than is read. */
function hugeSignatures(): FixtureImage {
  const image = signatureImage(
    [1, 2].map(() => ({ key: KEYS.ecdsa.privateKey, digest: `sha256:${'0'.repeat(64)}`, reference: 'r.test/x:v1' })),
  );
  const body = JSON.parse(image.manifest.data.toString()) as { layers: object[] };
  const layers = body.layers.map((layer) => ({ ...layer, size: (2 << 20) + 1 }));
  return { ...image, manifest: blobOf(image.manifest.mediaType, { ...body, layers }) };
}

const refusal = async (name: string): Promise<string> => {
  const { code, message } = await signing.house.failure(name);
  expect(code).toBe('signature-validation-failed');
  return message;
};

describe('an image that must be signed', () => {
  it.each<KeyName>(['ecdsa', 'rsa', 'ed25519'])('is pulled when it is, with %s', async (by) => {
    demand(signedBy(by));
    const { name, id } = await push([{ by }]);
    expect((await signing.house.service.pull(name)).id).toBe(id);
  });

  it('needs one good signature among bad ones, by one of the keys', async () => {
    const path = join(signing.house.root, 'rsa.pub');
    writeFileSync(path, pemOf(KEYS.rsa.publicKey));
    demand(
      { type: 'sigstoreSigned', keyPaths: [path] },
      { type: 'sigstoreSigned', keyDatas: [keyData('stranger'), keyData('ed25519')] },
    );
    const { name, digest } = await push([
      { by: 'ecdsa' },
      { by: 'rsa' },
      { by: 'ed25519', reference: 'r.test/other:v1' },
      { by: 'ed25519' },
    ]);
    await signing.house.service.pull(name);
    const { name: half } = await push([{ by: 'rsa' }]);
    expect(await refusal(half)).toContain('a signature is of no trusted key');
    rmSync(path);
    mkdirSync(path);
    expect(await signing.house.failure(name)).toMatchObject({
      code: 'failed-precondition',
      message: expect.stringContaining(`${path} cannot be read: EISDIR`) as unknown,
    });
    rmSync(path, { recursive: true });
    expect(await signing.house.failure(name)).toEqual({
      code: 'failed-precondition',
      message: `pull ${name}: signatures of ${digest}: the public key ${path} is not there`,
    });
  });

  it.each<[string, Partial<FixtureSignature & { by: KeyName }>[], string]>([
    ['without signature', [], 'it has no signature'],
    ['signed by a stranger', [{ by: 'stranger' }], 'a signature is of no trusted key'],
    [
      'whose payload was changed',
      [{ spoil: (payload) => Buffer.from(payload.toString().replace('a test', 'a tesT')) }],
      'a signature is of no trusted key',
    ],
    [
      'with the signature of another image',
      [{ digest: `sha256:${'0'.repeat(64)}` }],
      `a signature is of "sha256:${'0'.repeat(64)}"`,
    ],
    [
      'signed under another name',
      [{ reference: 'r.test/other:v1' }],
      'for "r.test/other:v1", which matchRepoDigestOrExact does not accept',
    ],
    ['signed without tag', [{ reference: 'r.test/team/x' }], 'which matchRepoDigestOrExact does not accept'],
    [
      'with a signature for something else',
      [{ type: 'atomic container signature' }],
      'a signature claims nothing that is understood',
    ],
  ])('is refused %s, and nothing is stored', async (_, signatures, why) => {
    demand(signedBy('ecdsa'));
    const { name } = await push(signatures);
    const message = await refusal(name);
    expect(message).toContain(`${name} (manifest sha256:`);
    expect(message).toContain(`${signing.policyFile} (transports.docker["r.test"])`);
    expect(message).toContain(why);
    expect(await signing.house.leftovers()).toEqual([]);
  });

  it('is checked by its own manifest where the name stands for a list', async () => {
    demand(signedBy('ecdsa'));
    const image = imageOf({ layers: [[{ name: 'f', data: 'in a list' }]] });
    const index = indexOf([[image, HOST_ARCHITECTURE]]);
    await signing.registry.push('list', 'parts', image);
    await signing.registry.pushManifest('list', 'v1', index);
    const sign = (digest: string): Promise<void> =>
      signing.registry.push(
        'list',
        signatureTag(digest),
        signatureImage([{ key: KEYS.ecdsa.privateKey, digest, reference: 'r.test/list:v1' }]),
      );
    await sign(index.digest);
    expect(await refusal('r.test/list:v1')).toContain('it has no signature');
    await sign(image.manifest.digest);
    expect((await signing.house.service.pull('r.test/list:v1')).repoDigests).toEqual([`r.test/list@${index.digest}`]);
  });

  it('may be signed for its repository, as cosign does, if the policy says so', async () => {
    demand(signedBy('ecdsa', { signedIdentity: { type: 'matchRepository' } }));
    const { name, digest } = await push([{ reference: `r.test/${signing.nextRepository}` }]);
    await signing.house.service.pull(name);
    await signing.house.service.pull(name.replace(':v1', `@${digest}`));
    demand(signedBy('ecdsa'));
    await refusal(name);
    await refusal(name.replace(':v1', `@${digest}`));
  });

  it('may be pulled by digest whatever tag it was signed under', async () => {
    demand(signedBy('ecdsa'));
    const { name, digest, id } = await push([{ reference: `r.test/${signing.nextRepository}:other` }]);
    await refusal(name);
    expect((await signing.house.service.pull(name.replace(':v1', `@${digest}`))).id).toBe(id);
  });

  it('is named where its signatures cannot be fetched', async () => {
    demand(signedBy('ecdsa'));
    const { name, digest } = await push([{}]);
    await signing.registry.push(name.slice('r.test/'.length, -':v1'.length), signatureTag(digest), hugeSignatures());
    expect(await signing.house.failure(name)).toEqual({
      code: 'data-loss',
      message: `pull ${name}: signatures of ${digest}: manifest ${signatureTag(digest)} has signatures of 4194306 bytes, more than 4194304`,
    });
  });

  it('is what was checked, whatever the store has under its digest', async () => {
    const other = await push([]);
    await signing.house.service.pull(other.name);
    demand(signedBy('ecdsa'));
    const { name, digest, id } = await push([{}]);
    const record = join(signing.house.root, 'images', 'records', `${other.id.replace(':', '-')}.json`);
    const content = JSON.parse(readFileSync(record, 'utf8')) as { repoDigests: string[] };
    content.repoDigests.push(`r.test/odd@${digest}`);
    writeFileSync(record, JSON.stringify(content));
    await signing.house.open({ signaturePolicy: signing.policyFile });
    expect((await signing.house.service.pull(name)).id).toBe(id);
  });

  it('keeps the annotations of its manifest when another one of the same image comes', async () => {
    demand(signedBy('ecdsa'));
    const [mine, theirs] = ['mine', 'theirs'].map((of) =>
      imageOf({
        layers: [[{ name: 'f', data: 'annotated' }]],
        spoil: (manifest) => (manifest['annotations'] = { of }),
      }),
    ) as [FixtureImage, FixtureImage];
    const { digest } = mine.manifest;
    await signing.registry.push('mine', 'v1', mine);
    const signature = { key: KEYS.ecdsa.privateKey, digest, reference: 'r.test/mine:v1' };
    await signing.registry.push('mine', signatureTag(digest), signatureImage([signature]));
    await signing.registry.push('theirs', 'v1', theirs);
    signing.house.hosts('free.test', `server = "http://${signing.registry.address}"\n`);
    await signing.house.service.pull('r.test/mine:v1');
    const { id, annotations, repoTags } = await signing.house.service.pull('free.test/theirs:v1');
    expect({ id, annotations }).toEqual({ id: mine.id, annotations: { of: 'mine' } });
    expect(repoTags).toEqual(['r.test/mine:v1', 'free.test/theirs:v1']);
  });

  it('is refused under its registry in capitals, too', async () => {
    demand({ type: 'reject' });
    expect(await refusal('R.TEST/team/app:v1')).toContain('is rejected by');
  });

  it('is refused only when no server has a good signature: a mirror may keep an old one', async () => {
    demand(signedBy('ecdsa'));
    const { name, id, digest } = await push([{}]);
    const repository = name.slice('r.test/'.length, -':v1'.length);
    const old = signatureImage([{ key: KEYS.stranger.privateKey, digest, reference: name }]);
    await signing.registry.push(`old/${repository}`, 'v1', imageOf({ layers: [[{ name: 'f', data: repository }]] }));
    await signing.registry.push(`old/${repository}`, signatureTag(digest), old);
    const mirror = `[host."http://${signing.registry.address}/v2/old"]\noverride_path = true\n`;
    signing.house.hosts('r.test', `server = "http://${signing.registry.address}"\n${mirror}`);
    expect((await signing.house.service.pull(name)).id).toBe(id);
    await signing.registry.push(repository, signatureTag(digest), old);
    expect(await refusal(name)).toContain('a signature is of no trusted key');
  });

  it('is known by its own name, whatever mirror it comes from', async () => {
    demand(signedBy('ecdsa'));
    const { name, id } = await push([{}]);
    signing.house.hosts(
      'r.test',
      `server = "http://127.0.0.1:1"\n[host."http://${signing.registry.address}"]\ncapabilities = ["pull", "resolve"]\n`,
    );
    expect((await signing.house.service.pull(name)).id).toBe(id);
  });
});

describe('the policy', () => {
  it('is read anew, and holds for images that are here, too', async () => {
    const { name, id } = await push([]);
    await signing.house.service.pull(name);
    demand(signedBy('ecdsa'));
    await refusal(name);
    demand({ type: 'reject' });
    expect(await refusal(name)).toBe(`${name} is rejected by ${signing.policyFile} (transports.docker["r.test"])`);
    expect(signing.house.service.resolve(name).id).toBe(id);
    demand({ type: 'insecureAcceptAnything' });
    await signing.house.service.pull(name);
  });

  it('refuses all images while it is broken, or gone', async () => {
    const { name } = await push([]);
    demand({ type: 'reject', but: 1 });
    expect(await signing.house.failure(name)).toMatchObject({
      code: 'failed-precondition',
      message: expect.stringContaining('[0].but is not known') as unknown,
    });
    rmSync(signing.policyFile);
    mkdirSync(signing.policyFile);
    expect(await signing.house.failure(name)).toMatchObject({
      code: 'failed-precondition',
      message: expect.stringContaining(`${signing.policyFile} cannot be read: EISDIR`) as unknown,
    });
    rmSync(signing.policyFile, { recursive: true });
    expect(await signing.house.failure(name)).toMatchObject({
      code: 'failed-precondition',
      message: expect.stringContaining('is gone') as unknown,
    });
  });

  it('refuses what it cannot check, and nothing else, nor the start', async () => {
    demand({ type: 'lunar' });
    await signing.house.open({ signaturePolicy: signing.policyFile });
    const { name } = await push([]);
    expect(await refusal(name)).toContain('cannot be checked as');
    signing.house.hosts('other.test', `server = "http://${signing.registry.address}"\n`);
    await signing.house.service.pull(name.replace('r.test', 'other.test'));
  });

  it('refuses the start if it cannot be read, and need not exist', async () => {
    writeFileSync(signing.policyFile, '{"default":[]}');
    const message = `${signing.policyFile}: default must be a list that is not empty`;
    await expect(signing.house.open({ signaturePolicy: signing.policyFile })).rejects.toThrow(message);
    await signing.house.open({ signaturePolicy: join(signing.house.root, 'none.json') });
    await signing.house.service.pull((await push([])).name);
  });

  it('holds for files, which have no signatures', async () => {
    const directory = join(signing.house.root, 'layout');
    writeLayout(directory, { 'example.test/x:v1': imageOf({ layers: [[{ name: 'f' }]] }) });
    const policy = (requirement: object): void =>
      writeFileSync(
        signing.policyFile,
        JSON.stringify({ default: [{ type: 'reject' }], transports: { oci: { [signing.house.root]: [requirement] } } }),
      );
    policy({ type: 'insecureAcceptAnything' });
    expect(await signing.house.service.importLayout(directory)).toHaveLength(1);
    policy(signedBy('ecdsa'));
    await expect(signing.house.service.importLayout(directory)).rejects.toThrow(
      /layout must be signed, says .*transports\.oci/,
    );
    policy({ type: 'reject' });
    await expect(signing.house.service.importLayout(directory)).rejects.toThrow(/is rejected by/);
  });

  it('goes by the place where a file is, not by the way to it', async () => {
    const [good, bad] = ['good', 'bad'].map((name) => join(signing.house.root, name)) as [string, string];
    for (const directory of [good, bad])
      writeLayout(join(directory, 'layout'), { 'example.test/x:v1': imageOf({ layers: [[{ name: 'f' }]] }) });
    symlinkSync(bad, join(good, 'link'));
    symlinkSync(join(good, 'layout'), join(bad, 'link'));
    const oci = { [good]: [{ type: 'insecureAcceptAnything' }] };
    writeFileSync(signing.policyFile, JSON.stringify({ default: [{ type: 'reject' }], transports: { oci } }));
    for (const way of [`${good}/../bad/layout`, `${good}/link/layout`])
      await expect(signing.house.service.importLayout(way)).rejects.toThrow(`${way} is rejected by`);
    expect(await signing.house.service.importLayout(join(bad, 'link'))).toHaveLength(1);
  });
});
