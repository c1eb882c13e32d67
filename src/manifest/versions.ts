import { baseOf, layerChain, nodeOf, own } from './queries.js';
import type { Manifest } from './schema.js';

/** A version as packages and ranges name it: Debian's characters, so `1:2.3~rc1-4+b1` is one (deb-version(7)). */
export const versionPattern = /^[A-Za-z0-9][A-Za-z0-9.+~:-]{0,199}$/;

/**
 * Order of versions as in Debian (deb-version(7)): an epoch before `:`, the upstream version, a revision after the last
 * `-`; runs of digits as numbers, `~` before everything, even the end, letters before other characters. Negative: `a`
 * is older.
 */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [parts(a), parts(b)];
  return compareParts(x.epoch, y.epoch) || compareParts(x.upstream, y.upstream) || compareParts(x.revision, y.revision);
}

function parts(version: string): { epoch: string; upstream: string; revision: string } {
  const [, epoch = '', rest = version] = /^(\d+):(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf('-');
  return dash < 0
    ? { epoch, upstream: rest, revision: '' }
    : { epoch, upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) };
}

function compareParts(a: string, b: string): number {
  const pieces = /(\D*)(\d*)/y;
  const cut = (text: string, at: number) => {
    pieces.lastIndex = at;
    return pieces.exec(text) ?? ['', '', ''];
  };
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const [wholeA, wordsA = '', digitsA = ''] = cut(a, i);
    const [wholeB, wordsB = '', digitsB = ''] = cut(b, j);
    const difference = compareWords(wordsA, wordsB) || compareNumbers(digitsA, digitsB);
    if (difference !== 0) return difference;
    i += wholeA.length;
    j += wholeB.length;
  }
  return 0;
}

function compareWords(a: string, b: string): number {
  const weight = (character: string | undefined) => {
    if (character === undefined) return 0;
    if (character === '~') return -1;
    return character.charCodeAt(0) + (/[A-Za-z]/.test(character) ? 0 : 0x10000);
  };
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = weight(a[i]) - weight(b[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareNumbers(a: string, b: string): number {
  // Not by BigInt: of a number of a million digits that takes seconds.
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0);
}

const holds: Record<string, (order: number) => boolean> = {
  '=': (order) => order === 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

/**
 * A range of versions: comparisons (`>= 12.1`; without an operator `=`) that all must hold, with spaces or commas
 * between; alternatives with `||` between.
 * @returns whether a version is in it; undefined where the text is not a range
 */
export function parseRange(text: string): ((version: string) => boolean) | undefined {
  const alternatives: ((version: string) => boolean)[][] = [];
  for (const alternative of text.split('||')) {
    const words = alternative.replace(/(>=|<=|>|<|=)\s+/g, '$1').split(/[\s,]+/);
    const comparisons = words.filter((word) => word !== '').map(parseComparison);
    if (comparisons.length === 0 || comparisons.includes(undefined)) return undefined;
    alternatives.push(comparisons.filter((each) => each !== undefined));
  }
  return (version) => alternatives.some((comparisons) => comparisons.every((comparison) => comparison(version)));
}

function parseComparison(word: string): ((version: string) => boolean) | undefined {
  const [, operator = '', wanted = ''] = /^(>=|<=|>|<|=|)(.*)$/s.exec(word) ?? [];
  const test = holds[operator === '' ? '=' : operator];
  if (test === undefined || !versionPattern.test(wanted)) return undefined;
  return (version) => test(compareVersions(version, wanted));
}

/**
 * The version of what a base holds now: of the newest update that states one, else as it was imported; null where none
 * is known.
 */
export function versionOf(manifest: Manifest, base: string): string | null {
  const { head, version } = baseOf(manifest, base);
  for (const id of layerChain(manifest, head)) {
    const { update, merged } = nodeOf(manifest, id);
    const updates = [...(update === null ? [] : [update]), ...[...merged].reverse()];
    for (const each of updates) {
      const declared = own(manifest.updates, each)?.version ?? null;
      if (declared !== null) return declared;
    }
  }
  return version;
}
