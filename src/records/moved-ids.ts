import { linesOf, textOf } from './keyed.js';
import { OtherFormat } from './outcome.js';

/** An account that has another number than before. */
export interface MovedId {
  readonly what: 'user' | 'group';
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Whose number the former one is now. */
  readonly heir: string | undefined;
}

/**
 * Accounts of passwd(5) or group(5) whose numbers differ between two versions. Lines that are no accounts are passed
 * over; where a version is missing or too large, nothing is known.
 */
export function movedIds(
  what: MovedId['what'],
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
): MovedId[] {
  const [was, is] = [idsOf(before), idsOf(after)];
  const heirs = new Map([...is].map(([name, id]) => [id, name]));
  return [...was].flatMap(([name, from]) => {
    const to = is.get(name);
    return to === undefined || to === from ? [] : [{ what, name, from, to, heir: heirs.get(from) }];
  });
}

function idsOf(version: Uint8Array | undefined): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of accountLines(version)) {
    const [, name, id] = /^([^:#+-][^:]*):[^:]*:(\d{1,10}):/.exec(line) ?? [];
    if (name !== undefined && !ids.has(name)) ids.set(name, Number(id));
  }
  return ids;
}

function accountLines(version: Uint8Array | undefined): readonly string[] {
  try {
    return linesOf(textOf(version));
  } catch (error) {
    if (error instanceof OtherFormat) return [];
    throw error;
  }
}
