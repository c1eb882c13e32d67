/*
 * Versions of apk (apk-package(5), "version"): NUMBER{.NUMBER}…{LETTER}{_SUFFIX{NUMBER}}…{~HASH}{-rNUMBER}.
 */

/** The parts of a version, in the order in which they may follow each other. */
const kinds = [
  'first number',
  'number',
  'letter',
  'suffix',
  'number of a suffix',
  'commit',
  'revision',
  'end',
  'invalid',
] as const;

type Kind = (typeof kinds)[number];

interface Part {
  readonly kind: Kind;
  readonly text: string;
  /** Where the next part begins. */
  readonly end: number;
}

const beforeRelease = ['alpha', 'beta', 'pre', 'rc'];
const suffixes = [...beforeRelease, 'cvs', 'svn', 'git', 'hg', 'p'];

interface Form {
  readonly kind: Kind;
  /** The last kind that it may follow, and the first one; by default that is the first of all. */
  readonly after: Kind;
  readonly notBefore?: Kind;
  readonly pattern: RegExp;
}

const forms: readonly Form[] = [
  { kind: 'number', after: 'number', pattern: /\.(\d+)/y },
  { kind: 'letter', after: 'number', pattern: /([a-z])/y },
  { kind: 'suffix', after: 'number of a suffix', pattern: new RegExp(`_(${suffixes.join('|')})(?![a-z])`, 'y') },
  { kind: 'number of a suffix', after: 'suffix', notBefore: 'suffix', pattern: /(\d+)/y },
  { kind: 'commit', after: 'number of a suffix', pattern: /~([0-9a-f]+)/y },
  { kind: 'revision', after: 'commit', pattern: /-r(\d+)/y },
];

const rank = (kind: Kind): number => kinds.indexOf(kind);

function matchAt(pattern: RegExp, version: string, at: number): Pick<Part, 'text' | 'end'> | undefined {
  pattern.lastIndex = at;
  const text = pattern.exec(version)?.[1];
  return text === undefined ? undefined : { text, end: pattern.lastIndex };
}

function firstPart(version: string): Part {
  const found = matchAt(/(\d+)/y, version, 0);
  return found === undefined ? { kind: 'invalid', text: '', end: 0 } : { kind: 'first number', ...found };
}

function nextPart(version: string, { kind: before, end: at }: Part): Part {
  if (at === version.length) return { kind: 'end', text: '', end: at };
  for (const { kind, after, notBefore, pattern } of forms) {
    if (rank(before) > rank(after) || (notBefore !== undefined && rank(before) < rank(notBefore))) continue;
    const found = matchAt(pattern, version, at);
    if (found !== undefined) return { kind, ...found };
  }
  return { kind: 'invalid', text: '', end: at };
}

function compareParts({ kind, text: a }: Part, { text: b }: Part): number {
  if (kind === 'suffix') return suffixes.indexOf(a) - suffixes.indexOf(b);
  // As digits of a fraction, where one begins with a zero: 1.06 is before 1.1.
  const isFraction = kind === 'number' && (a.startsWith('0') || b.startsWith('0'));
  if (kind === 'letter' || kind === 'commit' || isFraction) return compareTexts(a, b);
  // Not by BigInt: of a number of a million digits that takes seconds.
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return x.length - y.length || compareTexts(x, y);
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isBeforeRelease = ({ kind, text }: Part): boolean => kind === 'suffix' && beforeRelease.includes(text);

/**
 * Order of versions as `apk version -t` has it. Negative: `a` is older. Where one version ends, the longer one is
 * newer, but for a suffix before a release (`1.0_rc1` is before `1.0`). What is not in the form of a version comes
 * before what is, where they are equal up to there.
 * @param isPrefix whether `a` may have more parts than `b` has (`~` of a dependency)
 */
export function compareApkVersions(a: string, b: string, isPrefix = false): number {
  let [x, y] = [firstPart(a), firstPart(b)];
  for (; x.kind === y.kind && rank(x.kind) < rank('end'); [x, y] = [nextPart(a, x), nextPart(b, y)]) {
    const difference = compareParts(x, y);
    if (difference !== 0) return difference;
  }
  if (x.kind === y.kind || (isPrefix && y.kind === 'end')) return 0;
  if (isBeforeRelease(x)) return -1;
  if (isBeforeRelease(y)) return 1;
  return rank(y.kind) - rank(x.kind);
}

/**
 * Whether a version is within a bound of a dependency.
 * @param operator of `<`, `>`, `=` and `~`, one or several
 */
export function apkVersionFits(version: string, operator: string, bound: string): boolean {
  const order = compareApkVersions(version, bound, operator.includes('~'));
  return order === 0 ? /[=~]/.test(operator) : operator.includes(order < 0 ? '<' : '>');
}
