import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { readText } from '../../base/files.js';
import { errnoOf, failedPrecondition } from '../../base/errors.js';
import type { TlsSettings } from './endpoint.js';
import { hostDirectories } from './hosts.js';

type Certificates = Pick<TlsSettings, 'ca' | 'client'>;

/**
 * The certificates for a host in the first directory that has some (containers-certs.d(5)): `<host>/*.crt` are
 * authorities, `*.cert` with `*.key` of the same name are the client's.
 * @throws failed-precondition naming a file that cannot be read, or half a pair
 */
export async function readCertsDir(host: string, directories: readonly string[]): Promise<Certificates | undefined> {
  const places = directories.flatMap((parent) => hostDirectories(host).map((name) => join(parent, name)));
  for (const directory of places) {
    const names = await list(directory);
    if (names.some((name) => /\.(?:crt|cert|key)$/.test(name))) return readAll(directory, names);
  }
  return undefined;
}

async function readAll(directory: string, names: readonly string[]): Promise<Certificates> {
  const stems = (suffix: string): string[] =>
    names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
  const [certs, keys] = [stems('.cert'), stems('.key')];
  const alone = [...certs, ...keys].find((stem) => !certs.includes(stem) || !keys.includes(stem));
  if (alone !== undefined)
    throw failedPrecondition(`${join(directory, alone)} needs both .cert and .key; authorities end with .crt`);
  const read = (name: string): Promise<string> => readPem(join(directory, name));
  const readPair = async (stem: string): Promise<Certificates['client'][number]> => ({
    cert: await read(`${stem}.cert`),
    key: await read(`${stem}.key`),
  });
  const [ca, client] = await Promise.all([
    Promise.all(stems('.crt').map((stem) => read(`${stem}.crt`))),
    Promise.all(certs.map(readPair)),
  ]);
  return { ca, client };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readText(path);
  } catch (error) {
    throw failedPrecondition(`certificate ${path} cannot be read`, error);
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw failedPrecondition(`${directory} cannot be read`, error);
  }
}
