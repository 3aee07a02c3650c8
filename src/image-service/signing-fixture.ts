import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';

import { imageOf } from './image-fixture.js';
import { PullHouse } from './pull-fixture.js';
import { startRegistry, type FixtureRegistry } from './registry-fixture.js';

/** A registry of all tests of a suite, r.test, and for each test a store of its own whose signature policy it sets. */
export interface SigningHouse {
  readonly registry: FixtureRegistry;
  readonly house: PullHouse;
  readonly policyFile: string;
  /** Sets what is required of the images of r.test; all others are accepted. */
  readonly demand: (...requirements: object[]) => void;
  /** Pushes a new image, without signatures. */
  readonly push: () => Promise<PushedImage>;
  /** Where that pushes to next. */
  readonly nextRepository: string;
}

export interface PushedImage {
  readonly name: string;
  readonly repository: string;
  /** Of the manifest. */
  readonly digest: string;
  readonly id: string;
}

/** @param registriesD where it is said where signatures are */
export function useSigningHouse(registriesD?: () => string): SigningHouse {
  let storage: PullHouse;
  let registry: FixtureRegistry;
  let house: PullHouse;
  let counter = 0;
  beforeAll(async () => {
    storage = await new PullHouse().open();
    registry = await startRegistry(join(storage.root, 'registry'));
  });
  afterAll(async () => {
    await registry.stop();
    await storage.close();
  });
  beforeEach(async () => {
    house = new PullHouse();
    house.hosts('r.test', `server = "http://${registry.address}"\n`);
    fixture.demand({ type: 'insecureAcceptAnything' });
    const signaturePolicy = fixture.policyFile;
    await house.open({ signaturePolicy, ...(registriesD === undefined ? {} : { registriesD: registriesD() }) });
  });
  afterEach(() => house.close());

  const fixture: SigningHouse = {
    get registry() {
      return registry;
    },
    get house() {
      return house;
    },
    get policyFile() {
      return join(house.root, 'policy.json');
    },
    get nextRepository() {
      return `team/app${counter}`;
    },
    demand: (...requirements) => {
      const transports = { docker: { 'r.test': requirements } };
      const policy = { default: [{ type: 'insecureAcceptAnything' }], transports };
      writeFileSync(fixture.policyFile, JSON.stringify(policy));
    },
    push: async () => {
      const repository = fixture.nextRepository;
      counter++;
      const image = imageOf({ layers: [[{ name: 'f', data: repository }]] });
      await registry.push(repository, 'v1', image);
      return { name: `r.test/${repository}:v1`, repository, digest: image.manifest.digest, id: image.id };
    },
  };
  return fixture;
}
