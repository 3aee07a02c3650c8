import { join } from 'node:path';

import { dataLoss } from '../src/base/errors.js';
import { PROJECT_ROOT } from './project-root.js';

/** Where test runs leave their reports, one JSON file each: jest's (`--json --outputFile`) and critest's. */
export const RESULTS = join(PROJECT_ROOT, 'build', 'results');

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** A spec of critest that was selected. */
export interface Spec {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** What it said when it did not pass. */
  readonly message: string;
}

/**
 * Counts a report of either kind. A suite that could not run at all counts as one failure.
 * @throws data-loss if it is of neither kind.
 */
export function countReport(report: unknown): Counts {
  if (isJest(report)) {
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  }
  const specs = specsOf(report);
  const count = (outcome: Spec['outcome']): number => specs.filter((spec) => spec.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

export function addCounts(all: readonly Counts[]): Counts {
  const add = (a: Counts, b: Counts): Counts => ({
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  });
  return all.reduce(add, { passed: 0, failed: 0, skipped: 0 });
}

/**
 * The specs in a report of critest (`--ginkgo.json-report`), without those that the focus left out.
 * @throws data-loss if it is no such report.
 */
export function specsOf(report: unknown): readonly Spec[] {
  if (!isGinkgo(report)) throw dataLoss('neither a report of jest nor one of critest');
  return report.flatMap(({ SpecReports }) => SpecReports ?? []).flatMap(toSpec);
}

interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

interface GinkgoSpec {
  readonly LeafNodeType: string;
  readonly LeafNodeText: string;
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly State: string;
  readonly Failure?: { readonly Message: string };
}

/** What the focus leaves out is skipped without a word; what skips itself says why. Set-up counts where it fails. */
function toSpec(spec: GinkgoSpec): Spec[] {
  const message = spec.Failure?.Message ?? '';
  if ((spec.State === 'skipped' && message === '') || spec.State === 'pending') return [];
  if (spec.LeafNodeType !== 'It' && spec.State === 'passed') return [];
  const outcome = spec.State === 'passed' || spec.State === 'skipped' ? spec.State : 'failed';
  const name = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(' ').replace('[k8s.io] ', '');
  return [{ name: name === '' ? spec.LeafNodeType : name, outcome, message }];
}

function isJest(report: unknown): report is JestReport {
  return typeof report === 'object' && report !== null && 'numPassedTests' in report;
}

function isGinkgo(report: unknown): report is readonly { readonly SpecReports?: readonly GinkgoSpec[] | null }[] {
  return Array.isArray(report);
}
