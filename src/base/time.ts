/** Now, as every document of the store has it: ISO 8601, UTC, milliseconds. */
export function isoNow(): string {
  return new Date().toISOString();
}
