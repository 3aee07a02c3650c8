import { stderr } from 'node:process';

import { checkTree } from './check-imports/check-tree.js';
import { readTree } from './check-imports/read-tree.js';
import { PROJECT_ROOT } from './project-root.js';

// Fails, with a line for each breach, where the sources break the import rules of check-imports/rooms.ts.
const breaches = checkTree(await readTree(PROJECT_ROOT, ['src', 'e2e', 'scripts', 'bench']));
for (const breach of breaches) stderr.write(`${breach}\n`);
process.exitCode = breaches.length === 0 ? 0 : 1;
