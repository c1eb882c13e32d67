/** Elements of a list that are shown: an action may name ten thousand containers. */
const mostElements = 20;

/**
 * What was asked for, as the audit log and the jobs keep and show it. A long list is cut: else a few requests could
 * fill the log, and push out what others did.
 */
export function shownRequest(request: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(request).map(([name, value]) => [name, cut(value)]));
}

function cut(value: unknown): unknown {
  if (!Array.isArray(value) || value.length <= mostElements) return value;
  return [...(value as unknown[]).slice(0, mostElements), `… and ${value.length - mostElements} more`];
}
