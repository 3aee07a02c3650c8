import { detectCgroupDriver } from './detect-cgroup-driver.js';
import type { Config } from './config.js';
import type { Problem } from './problem.js';
import { textValue, type ResolvedValues } from './resolve-values.js';
import { isSlice } from './text-types.js';

/** Checks what no single row of the table can: values that do not go together; `skip` are keys reported before. */
export function checkValues(values: ResolvedValues, skip: ReadonlySet<string>): Problem[] {
  const cgroups = skip.has('cgroup_driver') ? [] : ['runtime.monitor_cgroup', 'runtime.cgroup_parent'];
  const problems = [
    ...checkDirectories(values),
    ...checkTls(values),
    ...cgroups.flatMap((key) => checkCgroup(values, key)),
  ];
  return problems.filter(({ key }) => key === undefined || !skip.has(key));
}

/** A reboot empties `state`, and the daemon owns both trees: they are not one, and neither is the host's root. */
function checkDirectories(values: ResolvedValues): Problem[] {
  const root = textValue(values, 'root');
  const state = textValue(values, 'state');
  const problems = ['root', 'state']
    .filter((key) => textValue(values, key) === '/')
    .map((key) => problemAt(values, key, 'must not be /'));
  if (root === state) problems.push(problemAt(values, 'state', `must not be the same directory as root, ${root}`));
  return problems;
}

function checkTls(values: ResolvedValues): Problem[] {
  const [cert, key] = ['streaming.tls_cert', 'streaming.tls_key'] as const;
  const [first, second] = textValue(values, cert) === '' ? [key, cert] : [cert, key];
  if (textValue(values, first) === '' || textValue(values, second) !== '') return [];
  return [problemAt(values, first, `${second} must be set, too`)];
}

function checkCgroup(values: ResolvedValues, key: string): Problem[] {
  const cgroup = textValue(values, key);
  const driver = detectCgroupDriver(textValue(values, 'cgroup_driver') as Config['cgroupDriver']);
  if (driver === 'systemd' && !isSlice(cgroup)) {
    return [problemAt(values, key, `expected the name of a slice, as cgroup_driver is systemd, got "${cgroup}"`)];
  }
  if (driver === 'cgroupfs' && isSlice(cgroup)) {
    return [problemAt(values, key, `expected an absolute path, as cgroup_driver is cgroupfs, got "${cgroup}"`)];
  }
  return [];
}

function problemAt(values: ResolvedValues, key: string, message: string): Problem {
  return { ...values.get(key)?.origin, key, message };
}
