/** What defaults may depend on beside constants. */
export interface DefaultContext {
  /** The driver in use, where `cgroup_driver` is `auto` the detected one. */
  readonly cgroupDriver: 'cgroupfs' | 'systemd';
  readonly cores: number;
}

/** What a path must be when the daemon starts: a program, or a file that is there if the user named it. */
export type Existence = 'executable' | 'file-if-set';

interface Described {
  /** Where the option stands in the file: `root`, or `section.name`. */
  readonly key: string;
  /** Whole sentences for the sample and the reference. */
  readonly description: string;
  /** How the default is written where it is not a constant. */
  readonly defaultText?: string;
}

type Default<T> = T | ((context: DefaultContext) => T);

export interface TextOption extends Described {
  readonly type: 'path' | 'socket' | 'address' | 'cgroup' | 'image' | 'handler';
  readonly default: Default<string>;
  /** The empty text is a value too: "none" or "built in". */
  readonly optional?: true;
  readonly exists?: Existence;
  /** The key of an option which, where it is not empty, makes the existence check needless. */
  readonly unless?: string;
}

export interface ListOption extends Described {
  readonly type: 'paths' | 'patterns' | 'annotations';
  readonly default: Default<readonly string[]>;
}

export interface IntegerOption extends Described {
  readonly type: 'integer';
  readonly default: Default<number>;
  readonly min: number;
  readonly max: number;
}

export interface ChoiceOption extends Described {
  readonly type: 'choice';
  readonly choices: readonly string[];
  readonly default: Default<string>;
}

/** One row of the option table. */
export type Option = TextOption | ListOption | IntegerOption | ChoiceOption;

/** The type of an option's value, read off its row. */
export type ValueOf<O extends Option> = O extends { readonly type: 'choice'; readonly choices: readonly (infer C)[] }
  ? C
  : O extends { readonly type: 'integer' }
    ? number
    : O extends { readonly type: 'paths' | 'patterns' | 'annotations' }
      ? readonly string[]
      : string;

export type OptionValue = string | number | readonly string[];

/** `max_parallel_layers` → `maxParallelLayers`, in types. */
export type Camel<S extends string> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S;

/** {@link Camel} at run time. */
export function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The default of an option in this place. */
export function defaultOf(option: Option, context: DefaultContext): OptionValue {
  return typeof option.default === 'function' ? option.default(context) : option.default;
}
