import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { joinJournals } from '../../../src/journal/join.js';
import { readJournal } from '../../../src/journal/journal.js';
import type { JournalRecord } from '../../../src/journal/journal.js';
import { makeOperation, operationFields } from '../../../src/journal/operation.js';
import type { RecordedOperation } from '../../../src/journal/operation.js';
import { checkout } from '../../support/lamina.js';
import { temporaryDirectory } from '../platform/temporary.js';

/**
 * Every operation once, with awkward names. The driver's own test writes it
 * (native/test/filter/journal_format_test.cc).
 */
const sample = `${checkout}/test/data/journal-format.ndjson` as BytePath;
const at = temporaryDirectory();

async function recordsOf(file: BytePath): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of readJournal(file)) records.push(record);
  return records;
}

/** As bytes, each a character. */
const expected: [RecordedOperation['operation'], string, string?][] = [
  ['create', 'plain'],
  ['mkdir', 'spaces and "quotes" and \\backslashes\\'],
  ['symlink', 'to-bytes', '../\xff\xfe/\n'],
  ['mknod', 'control\x01\x1f\x7f\t\r\n'],
  ['link', 'umlaut-\xc3\xa4', 'no-utf8-\xe4'],
  ['unlink', 'a\xff\xc3\xa4'],
  ['rmdir', 'trailing space '],
  ['rename', 'overlong-\xc0\x80-\xe0\x80\xaf', 'cut-short-\xe2\x82'],
  ['exchange', 'surrogate-\xed\xb2\x80', 'beyond-\xf4\x90\x80\x80'],
  ['write', 'four-bytes-\xf0\x9f\xa7\xaa'],
  ['truncate', 'looks-escaped-\\udc80-\\u0041'],
  ['chmod', 'line-separator-\xe2\x80\xa8-\xe2\x80\xa9'],
  ['chown', 'byte-order-mark-\xef\xbb\xbf'],
  ['utimes', 'continues-\x80\xbf'],
  ['setxattr', '*[a-z]?{b,c}', 'user.n\xc3\xa4me'],
  ['removexattr', '-', 'user.\xff'],
  ['fallocate', 'deep/er/ and/\xfe'],
  ['copy_file_range', 'noncharacter-\xef\xbf\xbf'],
];

describe('the format of a journal', () => {
  it('is read for every operation, whatever bytes its names have', async () => {
    const records = await recordsOf(sample);
    expect(records.map(({ logged: _, ...operation }) => operation)).toEqual(
      expected.map(([operation, path, second = '']) => makeOperation(operation, path as BytePath, second as BytePath)),
    );
    expect(records.map(({ operation }) => operation).sort()).toEqual([...operationFields.keys()].sort());
    expect(records[9]!.logged).toEqual({
      n: 10,
      time: '2026-01-10T23:59:50.010000070Z',
      pid: 2147483647,
      uid: 4294967295,
      gid: 4294967294,
      command: 'a "b" \udcff\n',
      operation: 'write',
      path: '/four-bytes-\u{1f9ea}',
    });
  });

  it('is kept to the byte where journals are joined', async () => {
    const lines = readFileSync(toBuffer(sample), 'utf8').split('\n').slice(0, -1);
    const parts = [lines.slice(0, 7), lines.slice(7)].map((part, i) => {
      const file = at(`part-${i}`);
      const numbered = part.map((line, number) => `${line.replace(/"n":\d+/, `"n":${number + 1}`)}\n`);
      writeFileSync(toBuffer(file), numbered.join(''));
      return file;
    });
    const joined = at('joined');
    await joinJournals(parts, joined);
    expect(readFileSync(toBuffer(joined), 'latin1')).toBe(readFileSync(toBuffer(sample), 'latin1'));
  });
});

describe('a line that is no recorded operation', () => {
  const caller = { n: 1, time: '2026-01-01T00:00:00.000000000Z', pid: 1, uid: 0, gid: 0, command: 'sh' };
  const good = { ...caller, operation: 'rename', path: '/a', to: '/b' };
  const damagedLines: [string, object | string][] = [
    ['of an unknown operation', { ...good, operation: 'move' }],
    ['that lacks its second path', { ...good, to: undefined }],
    ['whose second path is relative', { ...good, to: 'b' }],
    ['that has a second path too many', { ...good, operation: 'unlink' }],
    ['of an attribute without a name', { ...good, operation: 'setxattr', to: undefined }],
    ['whose path climbs', { ...good, path: '/a/../b' }],
    ['whose user is no number', { ...good, uid: '0' }],
    ['that is no object', '[]'],
    ['that is cut off', '{"n":1,'],
  ];

  it.each(damagedLines)('%s is reported by file and line', async (name, line) => {
    const file = at('damaged.ndjson');
    const text = typeof line === 'string' ? line : JSON.stringify(line);
    writeFileSync(toBuffer(file), `${JSON.stringify(good)}\n${text}\n`);
    const damage = {
      code: 'JOURNAL_DAMAGED',
      message: expect.stringContaining(`${file} is damaged: line 2 `) as string,
    };
    await expect(recordsOf(file)).rejects.toMatchObject(damage);
    await expect(joinJournals([file], at(`joined-${name}`))).rejects.toMatchObject(damage);
  });

  it('is left out of a joined journal where a killed driver did not finish it', async () => {
    const file = at('torn.ndjson');
    writeFileSync(toBuffer(file), `${JSON.stringify(good)}\n{"n":2,"ti`);
    const joined = at('joined-torn');
    await joinJournals([file], joined);
    expect(await recordsOf(joined)).toHaveLength(1);
  });
});
