import type { StoreChange } from '../../base/object-store.js';
import type { SandboxRecord, SandboxState, SandboxStatus } from '../../sandbox/types.js';
import type { ContainerRecord, ContainerState, ContainerStatus } from '../container/types.js';

/** CRI ContainerEventType. */
export type EventType = 'created' | 'started' | 'stopped' | 'deleted';

/** Something that happened to a container, or to the sandbox itself, whose id is then both. */
export interface PodEvent {
  readonly type: EventType;
  readonly id: string;
  readonly sandboxId: string;
}

type Gone = 'gone';

/** What a container's change of state means to kubelet; a state that kubelet never sees means nothing. */
export function containerEvents(change: StoreChange<ContainerRecord, ContainerStatus>): PodEvent[] {
  const record = (change.after ?? change.before)?.record;
  if (record === undefined) return [];
  const types = containerTypes(change.before?.status.state ?? 'gone', change.after?.status.state ?? 'gone');
  return types.map((type) => ({ type, id: record.id, sandboxId: record.sandboxId }));
}

function containerTypes(before: ContainerState | Gone, after: ContainerState | Gone): EventType[] {
  if (before === after) return [];
  if (after === 'created' || after === 'unstartable') return ['created'];
  if (after === 'running') return ['started'];
  if (after === 'exited') return ['stopped'];
  return after === 'gone' && before === 'removing' ? ['deleted'] : [];
}

/** Likewise for a sandbox, which is created and started at once. */
export function sandboxEvents(change: StoreChange<SandboxRecord, SandboxStatus>): PodEvent[] {
  const id = (change.after ?? change.before)?.record.id;
  if (id === undefined) return [];
  const types = sandboxTypes(change.before?.status.state ?? 'gone', change.after?.status.state ?? 'gone');
  return types.map((type) => ({ type, id, sandboxId: id }));
}

function sandboxTypes(before: SandboxState | Gone, after: SandboxState | Gone): EventType[] {
  if (before === after) return [];
  if (after === 'ready') return ['created', 'started'];
  if (after === 'not-ready') return ['stopped'];
  return after === 'gone' && before === 'removing' ? ['deleted'] : [];
}
