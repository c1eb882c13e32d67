import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { OtherFormat, mergeRecords, movedIds, unsatisfiedByApk } from '../../../src/records/index.js';
import { writeTar } from '../../support/tar-writer.js';
import { repetitive } from '../../support/untrusted.js';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const word = fc.stringMatching(/^[a-z][a-z0-9]{0,3}$/);

/** A known format: texts of records, each by its key, and the records of a text. */
interface Format {
  readonly path: string;
  readonly write: (records: ReadonlyMap<string, string>) => string;
  readonly record: fc.Arbitrary<string>;
  readonly read: (text: string) => ReadonlyMap<string, string>;
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '');
const rows = (separator: string) => (text: string) =>
  new Map(lines(text).map((line) => [line.slice(0, line.indexOf(separator)), line.slice(line.indexOf(separator) + 1)]));
/** No two keys have the same. */
const idOf = (key: string) => 1 + parseInt(key, 36);
const stanzas = (name: string) => (text: string) =>
  new Map(
    text
      .split('\n\n')
      .filter((stanza) => stanza.trim() !== '')
      .map((stanza) => [new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(stanza)?.[1] ?? '', stanza]),
  );
const json = (text: string) =>
  new Map(Object.entries(JSON.parse(text) as Record<string, unknown>).map(([key, value]) => [key, String(value)]));
const yaml = rows(': ');
/** Of the test's tars: each member is a block for its header and one for its content. */
const members = (tar: string) => {
  const found = new Map<string, string>();
  for (let at = 0; at + 1024 < tar.length; at += 1024)
    found.set(tar.slice(at, tar.indexOf('\0', at)), tar.slice(at + 512, tar.indexOf('\0', at + 512)));
  return found;
};

const formats: readonly Format[] = [
  {
    path: 'etc/passwd',
    record: word.map((shell) => `/bin/${shell}`),
    write: (records) => [...records].map(([key, shell]) => `${key}:x:${idOf(key)}:1::/:${shell}\n`).join(''),
    read: rows(':'),
  },
  {
    path: 'etc/group',
    record: fc.uniqueArray(word, { maxLength: 3 }).map((members) => members.join(',')),
    write: (records) => [...records].map(([key, members]) => `${key}:x:${idOf(key)}:${members}\n`).join(''),
    read: rows(':'),
  },
  {
    path: 'etc/shadow',
    record: word,
    write: (records) => [...records].map(([key, secret]) => `${key}:${secret}:19000:0:99999:7:::\n`).join(''),
    read: rows(':'),
  },
  {
    path: 'etc/shells',
    record: fc.constant(''),
    write: (records) => [...records.keys()].map((key) => `/bin/${key}\n`).join(''),
    read: (text) => new Map(lines(text).map((line) => [line, ''])),
  },
  {
    path: 'etc/subuid',
    record: fc.constant(''),
    write: (records) => [...records.keys()].map((key) => `${key}:${idOf(key) * 10}:10\n`).join(''),
    read: rows(':'),
  },
  {
    path: 'var/lib/dpkg/status',
    record: fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom('install', 'hold')).map((each) => each.join(' ')),
    write: (records) =>
      [...records]
        .map(([key, record]) => {
          const [version = '', state = ''] = record.split(' ');
          return `Package: ${key}\nStatus: ${state} ok installed\nArchitecture: all\nVersion: ${version}\nDescription: it\n is ${version}\n\n`;
        })
        .join(''),
    read: stanzas('Package'),
  },
  {
    path: 'lib/apk/db/installed',
    record: fc.integer({ min: 0, max: 9 }).map(String),
    write: (records) =>
      [...records].map(([key, version]) => `C:Q1\nP:${key}\nV:${version}\nF:etc\nR:${key}\n\n`).join(''),
    read: stanzas('P'),
  },
  {
    path: 'lib/apk/db/scripts.tar',
    record: word,
    write: (records) => writeTar([...records].map(([name, content]) => ({ name, content }))).toString('latin1'),
    read: members,
  },
  {
    path: 'var/lib/ucf/hashfile',
    record: word,
    write: (records) => [...records].map(([key, hash]) => `${hash}  /etc/${key}\n`).join(''),
    read: (text) =>
      new Map(lines(text).map((line) => [line.slice(line.indexOf('/')), line.slice(0, line.indexOf(' '))])),
  },
  {
    path: 'var/cache/debconf/config.dat',
    record: word,
    write: (records) => [...records].map(([key, value]) => `Name: ${key}\nValue: ${value}\nOwners: it\n\n`).join(''),
    read: stanzas('Name'),
  },
  {
    path: 'etc/app.ini',
    record: word,
    write: (records) => `[all]\n${[...records].map(([key, value]) => `# ${key}\n${key}=${value}\n`).join('')}`,
    read: (text) => rows('=')(text.replace(/^(?:\[.*|#.*)\n/gm, '')),
  },
  {
    path: 'etc/app.json',
    record: word,
    write: (records) => `${JSON.stringify(Object.fromEntries(records), null, 2)}\n`,
    read: json,
  },
  {
    path: 'etc/app.yaml',
    record: word,
    write: (records) =>
      records.size === 0 ? '{}\n' : [...records].map(([key, value]) => `k${key}: v${value}\n`).join(''),
    read: (text) => (text.startsWith('{}') ? new Map() : yaml(text)),
  },
];

describe.each(formats)('merging $path', ({ path, record, write, read }) => {
  const table = fc
    .uniqueArray(fc.tuple(word, record), { maxLength: 6, selector: ([key]) => key })
    .map((rows) => new Map(rows));
  const at = fromText(path);
  const merge = (base: string, ours: string, theirs: string) =>
    mergeRecords(at, { base: bytes(base), ours: bytes(ours), theirs: bytes(theirs) });
  const merged = (content: string) => ({ kind: 'merged', content: bytes(content) });

  it('takes what one side alone changed, and what both changed alike', () => {
    fc.assert(
      fc.property(table, table, (b, x) => {
        const [base, other] = [write(b), write(x)];
        expect(merge(base, base, other)).toEqual(merged(other));
        expect(merge(base, other, base)).toEqual(merged(other));
        expect(merge(base, other, other)).toEqual(merged(other));
      }),
    );
  });

  it('takes changes of different records, whichever side makes them', () => {
    const disjoint = fc
      .tuple(
        table,
        fc.uniqueArray(fc.tuple(word, fc.boolean(), fc.option(record)), { maxLength: 8, selector: ([key]) => key }),
      )
      .map(([base, changes]) => {
        const [ours, theirs, all] = [new Map(base), new Map(base), new Map(base)];
        for (const [key, isOurs, value] of changes)
          for (const side of [isOurs ? ours : theirs, all]) {
            if (value === null) side.delete(key);
            else side.set(key, value);
          }
        return { base, ours, theirs, all };
      });
    fc.assert(
      fc.property(disjoint, ({ base, ours, theirs, all }) => {
        const results = [
          merge(write(base), write(ours), write(theirs)),
          merge(write(base), write(theirs), write(ours)),
        ];
        for (const result of results) {
          expect(result?.kind).toBe('merged');
          if (result?.kind !== 'merged') continue;
          const text = Buffer.from(result.content).toString('latin1');
          expect(new Map([...read(text)].sort())).toEqual(new Map([...read(write(all))].sort()));
        }
      }),
    );
  });

  it('merges any bytes, or says why not, or leaves them to a merge by lines', () => {
    const any = fc.oneof(
      table.map(write),
      repetitive(['Package: ', 'Version: 1', '\n\n', '\n', ':', '=', '[a]', '{', '"', 'x'], 200),
    );
    fc.assert(
      fc.property(any, any, any, (base, ours, theirs) => {
        const result = merge(base, ours, theirs);
        if (result?.kind === 'conflict') expect(result.reason).toMatch(/^[^\p{Cc}]+$/u);
        else expect([undefined, 'merged']).toContain(result?.kind);
      }),
    );
  });
});

it('databases of apk and accounts of any bytes are read to the end', () => {
  const any = repetitive(
    ['P:a\n', 'V:1\n', 'D:', 'p:', '!a ', 'a=1 ', '=', '\n\n', 'root:x:', '0', ':', '\n', '#'],
    200,
  );
  fc.assert(
    fc.property(any, any, (one, other) => {
      let faults: string[] = [];
      try {
        faults = unsatisfiedByApk(bytes(one));
      } catch (error) {
        expect(error).toBeInstanceOf(OtherFormat);
      }
      for (const fault of faults) expect(fault).toMatch(/^[^\p{Cc}]+$/u);
      for (const { from, to } of movedIds('user', bytes(one), bytes(other))) {
        expect(from).not.toBe(to);
        expect(one + other).toContain(String(from));
      }
    }),
  );
});
