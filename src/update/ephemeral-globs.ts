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
  const others = ofSecond(top);
  const leading = withDirectories(agreed);
  const names: string[] = [];
  const globs = new Set<string>();
  for (const { path, how } of top) {
    // A path names all below it, too.
    if (how === 'differs' && !leading.has(path)) names.push(`/${escape(toText(path))}`);
    if (how !== 'only-first') continue;
    const pattern = bestPattern(toText(basename(path)), others.get(dirname(path)) ?? []);
    if (pattern !== undefined)
      globs.add(
        `/${[dirname(path) && escape(toText(dirname(path))), pattern].filter((part) => part !== '').join('/')}`,
      );
  }
  const patterns = [...globs].filter((glob) => !agreed.some(globMatcher([glob])));
  return [...names, ...patterns].sort();
}

/** Paths, and all directories above them. */
function withDirectories(paths: readonly BytePath[]): ReadonlySet<BytePath> {
  const all = new Set<BytePath>();
  for (const path of paths) for (let at = path; !all.has(at); at = dirname(at)) all.add(at);
  return all;
}

/** Names that a name is compared with: a run may make very many that differ, of few patterns. */
const mostOthers = 20;

/** The names that only the second run has, by directory. */
function ofSecond(top: readonly Differing[]): Map<BytePath, string[]> {
  const names = new Map<BytePath, string[]>();
  for (const { path, how } of top) {
    if (how !== 'only-second') continue;
    const known = names.get(dirname(path)) ?? [];
    if (known.length < mostOthers) known.push(toText(basename(path)));
    names.set(dirname(path), known);
  }
  return names;
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
