/** One rule that a manifest breaks. */
export interface Finding {
  /** Stable name of the broken rule. */
  readonly code: string;
  /** The id or name it is about. */
  readonly subject: string;
  readonly message: string;
}
