import { basename, dirname, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { globMatcher } from '../platform/globs.js';

/** A path at which two runs differ. */
export interface Differing {
  readonly path: BytePath;
  readonly how: 'differs' | 'only-first' | 'only-second';
}

/**
 * Globs that name what differs: a path as it is where both runs have it, a pattern where the name changes each time.
 * No glob may also match a path of `agreed`, the paths that the runs wrote alike: that path would be lost.
 */
export function ephemeralGlobs(differing: readonly Differing[], agreed: readonly BytePath[]): string[] {
  const absent = new Set(differing.filter(({ how }) => how !== 'differs').map(({ path }) => path));
  const top = differing.filter(({ path }) => path !== '' && !absent.has(dirname(path)));
  const globs = new Set<string>();
  for (const { path, how } of top) {
    if (how === 'differs') globs.add(`/${escape(toText(path))}`);
    if (how !== 'only-first') continue;
    const others = top.filter((each) => each.how === 'only-second' && dirname(each.path) === dirname(path));
    const pattern = bestPattern(
      toText(basename(path)),
      others.map((each) => toText(basename(each.path))),
    );
    if (pattern !== undefined)
      globs.add(
        `/${[dirname(path) && escape(toText(dirname(path))), pattern].filter((part) => part !== '').join('/')}`,
      );
  }
  return [...globs].filter((glob) => !agreed.some(globMatcher([glob]))).sort();
}

/** Of the patterns that a name makes with one of the others, that which says most. */
function bestPattern(name: string, others: readonly string[]): string | undefined {
  const patterns = others.flatMap((other) => patternOf(name, other) ?? []);
  return patterns.sort((a, b) => b.length - a.length)[0];
}

const shortestPrefix = 3;

/**
 * `tmp.*` of tmp.aB3 and tmp.aX9: the common prefix up to a punctuation mark, because letters may be equal by chance;
 * without a mark, a prefix of some length.
 */
function patternOf(a: string, b: string): string | undefined {
  let prefix = 0;
  while (prefix < Math.min(a.length, b.length) && a[prefix] === b[prefix]) prefix += 1;
  let suffix = 0;
  while (suffix < Math.min(a.length, b.length) - prefix && a.at(-1 - suffix) === b.at(-1 - suffix)) suffix += 1;
  const common = a.slice(0, prefix);
  const start = /^.*[^A-Za-z0-9]/s.exec(common)?.[0] ?? '';
  const end = /[^A-Za-z0-9].*$/s.exec(a.slice(a.length - suffix))?.[0] ?? '';
  if (start !== '' || end !== '') return `${escape(start)}*${escape(end)}`;
  return prefix >= shortestPrefix ? `${escape(common)}*` : undefined;
}

function escape(text: string): string {
  return text.replace(/[\\*?[\]{}()!]/g, '\\$&');
}
