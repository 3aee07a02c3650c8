/** What these handlers need to know of a call. */
export interface ImageCall {
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}
