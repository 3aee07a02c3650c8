import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { argv, stderr } from 'node:process';

import { renderReference } from '../src/config/render-reference.js';
import { renderSample } from '../src/config/render-sample.js';
import { PROJECT_ROOT } from './project-root.js';

// Writes what comes from the option table; with --check it fails where the tree has something else.
const OUTPUTS = [
  { path: 'conf/gantry.yaml', render: renderSample },
  { path: 'docs/configuration.md', render: renderReference },
];

async function generate(path: string, content: string): Promise<boolean> {
  await writeFile(join(PROJECT_ROOT, path), content);
  return true;
}

async function check(path: string, content: string): Promise<boolean> {
  const found = await readFile(join(PROJECT_ROOT, path), 'utf8').catch(() => undefined);
  if (found !== content) stderr.write(`${path} is not what the option table gives: run make generate\n`);
  return found === content;
}

const act = argv.includes('--check') ? check : generate;
const results = await Promise.all(OUTPUTS.map(({ path, render }) => act(path, render())));
process.exitCode = results.every(Boolean) ? 0 : 1;
