import { mkdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { components, fromBuffer, fromText, join, toBuffer, toText } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { readJournal } from '../../../src/journal/journal.js';
import { forgetMountedOver, readLines, readReadSet } from '../../../src/journal/read-set.js';
import { cases, changed, outcomeOf, repetitive, valueOf } from '../../support/untrusted.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const file = at('record.ndjson');
const name = toText(file);

/** Names of any bytes, and those that other programs take for the end of a line. */
const names = fc.oneof(
  fc.constantFrom('a', 'b', '\u2028', '\u2029', '\u0085', '\r', '\n', '\udcff', '…', '"', '\\'),
  fc
    .uint8Array({ minLength: 1, maxLength: 12 })
    .map((bytes) => toText(fromBuffer(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte)))))
    .filter((text) => text !== '.' && text !== '..'),
);
const paths = fc.array(names, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
const number = fc.nat({ max: 2 ** 32 - 1 });

/**
 * As the driver writes a string: control characters and lone bytes by their numbers, all else as it is
 * (native/filter/byte_string.cc).
 */
const written = (text: string) =>
  JSON.stringify(text).replace(/\\[btnfr\\]/g, (escape) => {
    const control = JSON.parse(`"${escape}"`) as string;
    return control === '\\' ? escape : `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });

const operations = fc.record({
  n: number,
  time: fc.constant('2026-01-01T00:00:00.000000000Z'),
  pid: number,
  uid: number,
  gid: number,
  command: names,
  operation: fc.constantFrom('create', 'rename', 'symlink', 'setxattr', 'write'),
  path: paths,
});
const journals = fc.array(
  fc
    .tuple(operations, paths)
    .map(([each, to]) => (each.operation === 'create' || each.operation === 'write' ? each : { ...each, to })),
  { minLength: 1, maxLength: 8 },
);
const kinds = fc.uniqueArray(fc.constantFrom('found', 'absent', 'listed', 'opened', 'link', 'xattr', 'whole'), {
  minLength: 1,
});
const readSets = fc.array(fc.record({ path: paths, kinds }), { maxLength: 8 });

const inTree = (path: string) => fromText(path.slice(1));
const asRead = ({ path, kinds: all }: { path: string; kinds: string[] }) => ({ path: inTree(path), kinds: all });

const lineOf = (line: object) => {
  const fields = Object.entries(line).map(
    ([key, value]) => `"${key}":${typeof value === 'string' ? written(value) : JSON.stringify(value)}`,
  );
  return `{${fields.join(',')}}\n`;
};
const textOf = (lines: readonly object[]) => lines.map(lineOf).join('');

async function all<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

const tokens = [
  '"',
  '\\',
  '\n',
  '\\u0000',
  '\\ud800',
  '\\udc80',
  '/..',
  '//',
  '/',
  '{}',
  'null',
  '[',
  ']',
  '{"version":1}\n',
  '"path":',
  '"kinds":["x"]',
  ',',
  '1e999',
  '\xff',
  '\u2028',
];
const parts = (path: string) => path.slice(1).split('/');
const isPath = (path: string) =>
  path === '/' ||
  (path.startsWith('/') && parts(path).every((part) => !['', '.', '..'].includes(part) && !part.includes('\0')));

describe('a journal', () => {
  it('is read as it was written, whatever the names are', async () => {
    await fc.assert(
      fc.asyncProperty(journals, async (lines) => {
        writeFileSync(file, textOf(lines));
        expect((await all(readJournal(file))).map(({ logged }) => logged)).toEqual(lines);
      }),
      cases(300),
    );
  });

  it('is operations on paths, or damaged: of any bytes', async () => {
    const bytes = fc.oneof(
      {
        arbitrary: fc.tuple(journals, changed(tokens)).map(([lines, edit]) => edit(Buffer.from(textOf(lines)))),
        weight: 9,
      },
      { arbitrary: fc.uint8Array().map((random) => Buffer.from(random)), weight: 1 },
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (content) => {
        writeFileSync(file, content);
        const read = valueOf(await outcomeOf(() => all(readJournal(file))), name);
        for (const { logged } of read ?? []) {
          const { path, operation, to, command, pid, uid } = logged;
          expect(isPath(path) && typeof command === 'string' && Number.isInteger(pid) && Number.isInteger(uid)).toBe(
            true,
          );
          if (operation === 'rename') expect(isPath(to ?? '')).toBe(true);
          expect(() => fromText(path + (to ?? '') + command)).not.toThrow();
        }
      }),
      cases(600),
    );
  });

  it('and a read set take time in proportion to their length', async () => {
    await fc.assert(
      fc.asyncProperty(repetitive([...tokens, 'a', '{"path":"/a","kinds":["found"]}\n'], 2_000_000), async (text) => {
        writeFileSync(file, text, 'latin1');
        await outcomeOf(() => all(readJournal(file)));
        writeFileSync(file, `{"version":1}\n${text}`, 'latin1');
        await outcomeOf(() => readReadSet(file));
      }),
      cases(8, 'large'),
    );
  });
});

describe('a read set', () => {
  it('is read as it was written, whatever the names are', async () => {
    await fc.assert(
      fc.asyncProperty(readSets, async (lines) => {
        writeFileSync(file, `{"version":1}\n${textOf(lines)}`);
        expect(await readLines(file)).toEqual(lines.map(asRead));
        const { seen, listed, whole } = await readReadSet(file);
        const having = (test: (kinds: readonly string[]) => boolean) =>
          new Set(lines.filter((line) => test(line.kinds)).map(({ path }) => inTree(path)));
        expect(seen).toEqual(having((each) => each.some((kind) => kind !== 'listed')));
        expect(listed).toEqual(having((each) => each.includes('listed')));
        expect(whole).toEqual(having((each) => each.includes('whole')));
      }),
      cases(300),
    );
  });

  it('is paths and kinds, or damaged: of any bytes', async () => {
    const bytes = fc.oneof(
      {
        arbitrary: fc
          .tuple(readSets, changed(tokens))
          .map(([lines, edit]) => edit(Buffer.from(`{"version":1}\n${textOf(lines)}`))),
        weight: 9,
      },
      { arbitrary: fc.uint8Array().map((random) => Buffer.from(random)), weight: 1 },
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (content) => {
        writeFileSync(file, content);
        for (const line of valueOf(await outcomeOf(() => readLines(file)), name) ?? []) {
          expect(isPath(`/${line.path}`)).toBe(true);
          expect(line.kinds.every((kind) => typeof kind === 'string')).toBe(true);
        }
        const sets = valueOf(await outcomeOf(() => readReadSet(file)), name);
        for (const path of sets === undefined ? [] : [...sets.seen, ...sets.listed, ...sets.whole])
          expect(components(path).join('/')).toBe(path);
      }),
      cases(600),
    );
  });

  it('forgets what was mounted over, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(readSets, paths, async (lines, over) => {
        const some: BytePath[] = [inTree(over), ...lines.slice(0, 1).map(({ path }) => inTree(path))];
        writeFileSync(file, `{"version":1}\n${textOf(lines)}`);
        await forgetMountedOver(file, some);
        expect(await readLines(file)).toEqual(lines.map(asRead).filter(({ path }) => !some.includes(path)));
      }),
      cases(100),
    );
  });

  it('that is not there is missing, not damaged', async () => {
    mkdirSync(toBuffer(at('empty')));
    const missing = join(at('empty'), 'none');
    await expect(readLines(missing)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(all(readJournal(missing))).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' });
  });
});
