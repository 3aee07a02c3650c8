import { stdout } from 'node:process';

import { Command } from 'commander';

import type { ExplainedServer, Explanation } from '../../image-service/explain.js';
import { askDaemon } from '../ask-daemon.js';

/** `gantry registry …` */
export function registryCommand(): Command {
  const registry = new Command('registry').description('work with the configuration of registries');
  registry
    .command('explain')
    .description('tell where an image would be pulled from, in order, and why')
    .argument('<image>')
    .option('--json', 'as JSON')
    .action(async (image: string, options: { json?: true }, command: Command) => {
      const { references } = (await askDaemon(command, 'ExplainImage', { image })) as { references: Explanation[] };
      stdout.write(
        `${options.json ? JSON.stringify(references, null, 2) : references.map(explanationText).join('\n')}\n`,
      );
    });
  return registry;
}

function explanationText({ reference, servers, signatures, error }: Explanation): string {
  return [
    reference,
    ...(error === undefined ? [] : [`  cannot be pulled: ${error}`]),
    ...servers.map(serverText),
    ...(signatures === undefined ? [] : [`  signatures: ${signatures}`]),
  ].join('\n');
}

function serverText(server: ExplainedServer, index: number): string {
  const { url, role, capabilities, tls, why, credentials, trouble, proxy } = server;
  return [
    `  ${index + 1}. ${url} (${role})`,
    `     because of ${why}`,
    `     asked for ${capabilities.length === 0 ? 'nothing' : capabilities.join(' and ')}, TLS ${tls}, credentials: ${credentials}`,
    ...(proxy === undefined ? [] : [`     through the proxy ${proxy}`]),
    ...(trouble === undefined ? [] : [`     asked after the others: ${trouble}`]),
  ].join('\n');
}
