import { globMatcher } from '../../base/glob.js';

type Annotations = Readonly<Record<string, string>>;

/** Which annotations a runtime gets, as patterns of their names. */
export interface AnnotationRules {
  readonly pod: readonly string[];
  readonly container: readonly string[];
}

/** What annotations are made from. */
export interface AnnotationSource {
  readonly pod: Annotations;
  /** Absent for the sandbox itself. */
  readonly container?: Annotations;
  /** What is so, whatever the pod's author says. */
  readonly facts: Annotations;
}

/**
 * The annotations of an OCI configuration. Those of requests are the pod's author's, and runtimes take orders from some
 * (crun's `run.oci.handler`, `org.systemd.property.*`), so only those pass that the runtime's handler permits.
 */
export function ociAnnotations(
  { pod, container = {}, facts }: AnnotationSource,
  rules: AnnotationRules = { pod: [], container: [] },
): Annotations {
  return { ...permitted(pod, rules.pod), ...permitted(container, rules.container), ...facts };
}

function permitted(annotations: Annotations, patterns: readonly string[]): Annotations {
  const matchers = patterns.map(globMatcher);
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => matchers.some((matches) => matches(name))));
}
