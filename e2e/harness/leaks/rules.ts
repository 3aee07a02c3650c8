import { run } from '../../../src/base/spawn.js';
import { isPluginChain } from './network.js';

/** Rules of packet filters: each as `iptables nat -A …`, with the chains and policies that are not the usual ones. */
export type Rules = ReadonlySet<string>;

const PROGRAMS = ['iptables', 'ip6tables'] as const;

/** All rules of all tables, but for those of suites' networks, whose own are looked for by their name. */
export async function readRules(): Promise<Rules> {
  const texts = PROGRAMS.map(async (program) => {
    const { stdout } = await run(`${program}-save`, [], { timeoutMs: 10_000 });
    return parseRules(program, stdout.toString());
  });
  return new Set((await Promise.all(texts)).flat());
}

/**
 * Networks and bridges of suites and of unit tests, of this run or of any other on the machine. Names end where these
 * numbers do.
 */
const OF_A_SUITE =
  /(?<![\w-])(gantry-e2e-[0-9a-f]{6}|gantry[0-9a-f]{6}|gsbx[0-9a-f]{8}|gantry-run-[0-9a-f]+|(net-)?gcni[0-9a-f]{8})(?![\w-])/;

/** What the portmap plugin makes for all networks, and keeps: its chains, and the ways there. */
const BY_DESIGN = /(^| )CNI-HOSTPORT-(DNAT|SETMARK|MASQ)( |$)/;

/** The rules of an answer of iptables-save(8). */
export function parseRules(program: string, text: string): string[] {
  const rules = new Map<string, string[]>();
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    const rule = line.startsWith(':') ? chainOf(line) : line.startsWith('-A') ? line : undefined;
    if (rule !== undefined) rules.set(table, [...(rules.get(table) ?? []), rule]);
  }
  return [...rules].flatMap(([name, all]) => ofNoSuite(all).map((rule) => `${program} ${name} ${rule}`));
}

/** A chain of the kernel's with another policy than usual, or one that somebody made; without its counters. */
function chainOf(line: string): string | undefined {
  const [name = '', policy = ''] = line.slice(1).split(' ');
  return policy === 'ACCEPT' ? undefined : `${policy === '-' ? '-N' : `-P ${policy}`} ${name}`;
}

/** Plugins name a chain by a hash: whose it is stands in the rules that lead there, or in it. */
function ofNoSuite(rules: readonly string[]): string[] {
  const named = rules.filter((rule) => OF_A_SUITE.test(rule));
  const chains = new Set(named.flatMap((rule) => rule.split(' ')).filter(isPluginChain));
  return rules.filter((rule) => {
    if (OF_A_SUITE.test(rule) || (BY_DESIGN.test(rule) && !rule.includes('name: '))) return false;
    return !chains.has(rule.split(' ')[1] ?? '');
  });
}

/** What a suite added and took away. An empty chain of a plugin is told of by its own. */
export function leakedRules(before: Rules, after: Rules): string[] {
  const added = [...after].filter((rule) => !before.has(rule) && !isEmptyPluginChain(rule, after));
  const gone = [...before].filter((rule) => !after.has(rule));
  return [...added.map((rule) => `rule ${rule}`), ...gone.map((rule) => `rule that is gone: ${rule}`)].sort();
}

function isEmptyPluginChain(rule: string, rules: Rules): boolean {
  const [program, table, verb, chain = ''] = rule.split(' ');
  const holds = `${program ?? ''} ${table ?? ''} -A ${chain} `;
  return verb === '-N' && isPluginChain(chain) && ![...rules].some((other) => other.startsWith(holds));
}
