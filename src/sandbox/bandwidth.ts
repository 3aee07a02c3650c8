import { invalidArgument } from '../base/errors.js';

/** Rates in bits a second, bursts in bits, as the CNI capability `bandwidth` has them; 0 is unlimited. */
export interface Bandwidth {
  readonly ingressRate: number;
  readonly ingressBurst: number;
  readonly egressRate: number;
  readonly egressBurst: number;
}

const INGRESS = 'kubernetes.io/ingress-bandwidth';
const EGRESS = 'kubernetes.io/egress-bandwidth';
/** What the peers give, so that the rate alone limits. */
const BURST = 2 ** 31 - 1;

/**
 * A pod's bandwidth from its annotations, which is where Kubernetes has it.
 * @throws invalid-argument naming an annotation that is no quantity.
 */
export function bandwidthOf(annotations: Readonly<Record<string, string>>): Bandwidth | undefined {
  const ingressRate = quantity(annotations, INGRESS);
  const egressRate = quantity(annotations, EGRESS);
  if (ingressRate === 0 && egressRate === 0) return undefined;
  return {
    ingressRate,
    ingressBurst: ingressRate === 0 ? 0 : BURST,
    egressRate,
    egressBurst: egressRate === 0 ? 0 : BURST,
  };
}

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Kubernetes' resource quantities, as far as rates use them: `10M`, `1.5Gi`. */
function quantity(annotations: Readonly<Record<string, string>>, name: string): number {
  const text = annotations[name];
  if (text === undefined) return 0;
  const match = /^(\d+(?:\.\d+)?)([kMGT]i?|Ki)?$/.exec(text);
  const factor = FACTORS[match?.[2] ?? ''];
  if (match === null || factor === undefined) throw invalidArgument(`annotation ${name} is no quantity: "${text}"`);
  return Math.ceil(Number(match[1]) * factor);
}
