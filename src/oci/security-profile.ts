/** Where a seccomp or AppArmor profile comes from (CRI SecurityProfile); absent where a request names none. */
export type SecurityProfile =
  | { readonly type: 'runtime-default' }
  | { readonly type: 'unconfined' }
  /** A file's path for seccomp, the name of a loaded profile for AppArmor. */
  | { readonly type: 'localhost'; readonly ref: string };
