/* The document of a command in a few lines, for people. Pure. */

const mostLines = 40;

/** Names and plain values as they are; of lists how long they are. */
export function resultLines(result: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(result)
    .filter(([name]) => name !== 'formatVersion')
    .flatMap(([name, value]) => lineOf(name, value))
    .slice(0, mostLines);
}

function lineOf(name: string, value: unknown): string[] {
  if (value === null || value === false) return [];
  if (Array.isArray(value)) {
    const texts = value.filter((each) => typeof each === 'string');
    const isShort = texts.length === value.length && value.length <= 10;
    return [`${name}: ${isShort ? texts.join(', ') || 'none' : value.length}`];
  }
  if (typeof value === 'object') {
    const named = (value as { name?: unknown }).name;
    return [`${name}: ${typeof named === 'string' ? named : `${Object.keys(value).length} fields`}`];
  }
  return [`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
}
