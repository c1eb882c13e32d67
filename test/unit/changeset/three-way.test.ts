import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { mergeContents } from '../../../src/changeset/index.js';
import { numRuns } from './arbitrary.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

/** What became of it, content as text. */
function merge(
  base: string | undefined,
  ours: string,
  theirs: string,
): { kind: string; content?: string; reason?: string } {
  const result = mergeContents(base === undefined ? undefined : bytes(base), bytes(ours), bytes(theirs));
  if (result.kind === 'conflict') return result;
  return { kind: result.kind, content: Buffer.from(result.content).toString('latin1') };
}

describe('merging contents', () => {
  it.each<[string, [string | undefined, string, string], ReturnType<typeof merge>]>([
    ['what both made the same', ['a', 'b', 'b'], { kind: 'same', content: 'b' }],
    ['what both made the same of nothing', [undefined, 'b', 'b'], { kind: 'same', content: 'b' }],
    ['what only we changed', ['a', 'b', 'a'], { kind: 'ours', content: 'b' }],
    ['what only they changed', ['a', 'a', 'b'], { kind: 'theirs', content: 'b' }],
    ['binary that only they changed', ['\0', '\0', '\0b'], { kind: 'theirs', content: '\0b' }],
    ['what both made differently of nothing', [undefined, 'a', 'b'], { kind: 'conflict', reason: 'no-base' }],
    ['binary that both changed', ['a\nb\nc\n', 'A\nb\nc\n', 'a\nb\nC\0'], { kind: 'conflict', reason: 'binary' }],
    ['changes apart', ['a\nb\nc\n', 'A\nb\nc\n', 'a\nb\nC\n'], { kind: 'merged', content: 'A\nb\nC\n' }],
    ['the same line, differently', ['a\nb\nc\n', 'a\nB\nc\n', 'a\nX\nc\n'], { kind: 'conflict', reason: 'overlap' }],
    ['changes that touch', ['a\nb\n', 'A\nb\n', 'a\nB\n'], { kind: 'conflict', reason: 'overlap' }],
    [
      'one change in common',
      ['a\nb\nc\nd\n', 'A\nb\nc\nd\n', 'A\nb\nc\nD\n'],
      { kind: 'merged', content: 'A\nb\nc\nD\n' },
    ],
    ['lines added in two places', ['a\nb\n', '1\na\nb\n', 'a\nb\n2\n'], { kind: 'merged', content: '1\na\nb\n2\n' }],
    ['lines added in one place', ['a\nb\n', 'a\n1\nb\n', 'a\n2\nb\n'], { kind: 'conflict', reason: 'overlap' }],
    ['a removal and an addition', ['a\nb\nc\n', 'b\nc\n', 'a\nb\nc\nd\n'], { kind: 'merged', content: 'b\nc\nd\n' }],
    ['a removal of what they change', ['a\nb\nc\n', 'a\nc\n', 'a\nB\nc\n'], { kind: 'conflict', reason: 'overlap' }],
    ['CRLF', ['a\r\nb\r\nc\r\n', 'A\r\nb\r\nc\r\n', 'a\r\nb\r\nC\n'], { kind: 'merged', content: 'A\r\nb\r\nC\n' }],
    ['a missing last newline', ['a\nb\nc', 'A\nb\nc', 'a\nb\nd'], { kind: 'merged', content: 'A\nb\nd' }],
    ['a last newline that they add', ['a\nb\nc', 'A\nb\nc', 'a\nb\nc\n'], { kind: 'merged', content: 'A\nb\nc\n' }],
    ['two ways to go on after the last line', ['a', 'a\nb', 'a\nc\n'], { kind: 'conflict', reason: 'overlap' }],
    [
      'bytes that are no UTF-8',
      ['\xff\nb\nc\n', '\xfe\nb\nc\n', '\xff\nb\n\x80'],
      { kind: 'merged', content: '\xfe\nb\n\x80' },
    ],
    ['an emptied file', ['a\nb\nc\n', '', 'a\nb\nC\n'], { kind: 'conflict', reason: 'overlap' }],
    [
      'lines named as members of objects',
      ['__proto__\nb\nconstructor\n', '__proto__\nb\n1\n', '2\nb\nconstructor\n'],
      { kind: 'merged', content: '2\nb\n1\n' },
    ],
  ])('%s', (_, [base, ours, theirs], wanted) => {
    expect(merge(base, ours, theirs)).toEqual(wanted);
  });

  it('is not tried on large files', () => {
    const base = Buffer.alloc(limits.mergedFile.value + 1, 'a\n');
    const [ours, theirs] = [Buffer.concat([bytes('b\n'), base]), Buffer.concat([base, bytes('c\n')])];
    expect(mergeContents(base, ours, theirs)).toEqual({ kind: 'conflict', reason: 'too-large' });
    expect(mergeContents(base, base, theirs).kind).toBe('theirs');
  });

  it('is tried on as many edits as the limit says', () => {
    const lines = (from: string, count: number, to = from) =>
      Array.from({ length: 5_000 }, (_, i) => `${i < count ? to : from} ${i}\n`).join('');
    const theirs = `${lines('a', 0)}more\n`;
    // A line that is another counts twice: one goes, one comes.
    const most = limits.mergedEdits.value / 2;
    expect(merge(lines('a', 0), lines('a', most, 'b'), theirs)).toMatchObject({ kind: 'merged' });
    expect(merge(lines('a', 0), lines('a', most + 1, 'b'), theirs)).toEqual({
      kind: 'conflict',
      reason: 'too-different',
    });
  });

  it('takes many equal lines in good time, and gives up on what is a different text', () => {
    const base = Array.from({ length: 5_000 }, (_, i) => `{\n  "a": ${i}\n},\n`);
    const [ours, theirs] = [[...base], [...base]];
    ours[100] = 'x\n';
    theirs[4_900] = 'y\n';
    const both = [...ours];
    both[4_900] = 'y\n';
    expect(merge(base.join(''), ours.join(''), theirs.join(''))).toEqual({ kind: 'merged', content: both.join('') });
    const other = base.map((_, i) => `${i}\n`).join('');
    expect(merge(base.join(''), other, theirs.join(''))).toEqual({ kind: 'conflict', reason: 'too-different' });
  });
});

const line = fc.oneof(
  fc.constantFrom('', 'a', 'b', '}', '\r', '\xff\x01'),
  fc.string({ maxLength: 3, unit: 'binary' }),
);
const text = fc
  .tuple(fc.array(line, { maxLength: 12 }), fc.boolean())
  .map(
    ([lines, ended]) =>
      lines.map((each) => each.replaceAll(/[\n\0\u0100-\u{10ffff}]/gu, '')).join('\n') + (ended ? '\n' : ''),
  );

/** A side's change of a numbered text: lines added before one of its lines, which may go. */
const edit = fc
  .record({ at: fc.nat(19), remove: fc.boolean(), add: fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 3 }) })
  .filter(({ remove, add }) => remove || add.length > 0);
const edits = fc.array(edit, { maxLength: 4 });

describe('merging any contents', () => {
  it('does not depend on which side is called ours, and invents no line', () => {
    fc.assert(
      fc.property(text, text, text, (base, ours, theirs) => {
        const result = merge(base, ours, theirs);
        expect(merge(base, theirs, ours).content).toBe(result.content);
        if (result.content === undefined) return;
        const known = new Set([base, ours, theirs].flatMap((each) => each.match(/[^\n]*\n|[^\n]+$/g) ?? []));
        for (const each of result.content.match(/[^\n]*\n|[^\n]+$/g) ?? []) expect(known).toContain(each);
      }),
      { numRuns },
    );
  });

  it('makes both changes where they lie apart', () => {
    const numbered = Array.from({ length: 20 }, (_, i) => [`${i}`]);
    const write = (lines: string[][]) =>
      lines
        .flat()
        .map((each) => `${each}\n`)
        .join('');
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const [a, b] = [first, second].map((list) => new Set(list.map(({ at }) => at)));
        // A line between them that neither touches: each edit changes lines from `at` to before `at + 1`.
        fc.pre([...a!].every((at) => ![at - 1, at, at + 1].some((near) => b!.has(near))));
        const apply = (lines: string[][], list: typeof first) =>
          list.forEach(({ at, remove, add }) => {
            lines[at] = [...add, ...(remove ? [] : [`${at}`])];
          });
        const sides = [numbered.map((l) => [...l]), numbered.map((l) => [...l]), numbered.map((l) => [...l])] as const;
        apply(sides[0], first);
        apply(sides[1], second);
        apply(sides[2], first);
        apply(sides[2], second);
        expect(merge(write(numbered), write(sides[0]), write(sides[1])).content).toBe(write(sides[2]));
      }),
      { numRuns },
    );
  });
});
