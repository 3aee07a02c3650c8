import type { Camel, ValueOf } from './option.js';
import type { OPTIONS } from './options.js';

/** An OCI runtime that pods can ask for by name. */
export interface HandlerConfig {
  /** The runtime's program. */
  readonly path: string;
  /** The runtime's own state directory, its `--root`. */
  readonly root: string;
  /** Patterns of the annotations that the runtime gets, of pods and of containers. */
  readonly podAnnotations: readonly string[];
  readonly containerAnnotations: readonly string[];
}

type Row = (typeof OPTIONS)[number];
type SectionOf<O extends Row> = O extends { readonly key: `${infer Section}.${string}` } ? Section : never;
type NameOf<O extends Row> = O extends { readonly key: `${string}.${infer Name}` } ? Name : O['key'];
type TopRow<O extends Row> = O extends { readonly key: `${string}.${string}` } ? never : O;
type RowOf<O extends Row, S extends string> = O extends { readonly key: `${S}.${string}` } ? O : never;
type Values<O extends Row> = { readonly [R in O as Camel<NameOf<R>>]: ValueOf<R> };
type Sections = { readonly [S in SectionOf<Row>]: Values<RowOf<Row, S>> };

/**
 * The daemon's configuration, checked and complete: `config.cgroupDriver`, `config.runtime.defaultHandler`,
 * `config.runtime.handlers.get('runc')`, `config.network.binDirs` … One field for each row of the option table, in
 * camelCase. Paths are absolute and normalised, timeouts are in seconds, `listen` has no `unix://`.
 */
export type Config = Values<TopRow<Row>> &
  Sections & {
    readonly runtime: {
      /** By handler name; the default handler is always among them. */
      readonly handlers: ReadonlyMap<string, HandlerConfig>;
    };
  };
