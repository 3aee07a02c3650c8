import type { ContainerPaths } from '../../container/paths.js';
import type { ContainerRecord } from '../../container/types.js';
import { AttachHub } from './attach-hub.js';

/** The hub of each container that has one. */
export class AttachHubs {
  readonly #hubs = new Map<string, AttachHub>();

  /** The container's hub, made and connected if need be. @throws unavailable without a monitor. */
  async of(record: ContainerRecord, { bundle }: ContainerPaths): Promise<AttachHub> {
    const hub = this.#hubs.get(record.id) ?? this.#make(record, bundle);
    await hub.connected;
    return hub;
  }

  #make(record: ContainerRecord, bundle: string): AttachHub {
    const hub: AttachHub = new AttachHub(record, bundle, () => {
      if (this.#hubs.get(record.id) === hub) this.#hubs.delete(record.id);
    });
    this.#hubs.set(record.id, hub);
    return hub;
  }
}
