/** A feature that Lamina uses, and whether this machine has it. */
export interface HostFeature {
  readonly name: string;
  readonly available: boolean;
  /** What it is good for, or why it is missing. */
  readonly detail: string;
  /** How to get it; null where it is there. */
  readonly hint: string | null;
}

export const having = (name: string, detail: string): HostFeature => ({ name, available: true, detail, hint: null });
export const lacking = (name: string, detail: string, hint: string): HostFeature => ({
  name,
  available: false,
  detail,
  hint,
});
