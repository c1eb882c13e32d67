/** Names that a message lists for a person: there may be any number, and the rest is counted. */
export function someOf(names: readonly string[], most = 20): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
