/** The counters of one network interface, as the pod sees it. */
export interface InterfaceUse {
  readonly name: string;
  readonly rxBytes: bigint;
  readonly rxPackets: bigint;
  readonly rxErrors: bigint;
  readonly rxDropped: bigint;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly txDropped: bigint;
}

/** `/proc/<pid>/net/dev` (proc(5)): two lines of heading, then eight counters received and eight sent a line. */
export function parseNetDev(text: string): InterfaceUse[] {
  return text.split('\n').flatMap((line) => {
    // A name may hold colons (an alias), the counters do not.
    const colon = line.lastIndexOf(':');
    const counters = line.slice(colon + 1).match(/\d+/g) ?? [];
    if (colon < 0 || counters.length < 16) return [];
    return interfaceUse(line.slice(0, colon).trim(), counters.map(BigInt));
  });
}

function interfaceUse(name: string, counters: readonly bigint[]): InterfaceUse {
  const at = (index: number): bigint => counters[index] ?? 0n;
  return {
    name,
    rxBytes: at(0),
    rxPackets: at(1),
    rxErrors: at(2),
    rxDropped: at(3),
    txBytes: at(8),
    txPackets: at(9),
    txErrors: at(10),
    txDropped: at(11),
  };
}
