import { mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { LaminaError } from '../../../src/base/errors.js';
import { limits } from '../../../src/base/limits.js';
import { carrierOf } from '../../../src/channel/index.js';
import {
  enroll,
  expel,
  identityOf,
  readMachines,
  readReport,
  readReports,
  reportPath,
} from '../../../src/fleet/index.js';
import { newMachine, outcomeReport, report, signedReport, updateNumber } from '../../support/fleet.js';

const badReport = expect.objectContaining({ code: 'BAD_REPORT' }) as Error;
const signal = new AbortController().signal;

describe('the report of a machine', () => {
  const machine = newMachine();
  const updates = [outcomeReport(updateNumber(1), 'applied'), outcomeReport(updateNumber(2), 'failed')];

  it('says what the machine signed', () => {
    expect(readReport(signedReport(machine, updates), machine.id)).toEqual(report(machine, updates));
  });

  it('is refused under the id of another machine, or with its key', () => {
    const other = newMachine();
    const bytes = signedReport(machine, updates);
    expect(() => readReport(bytes, other.id)).toThrow(badReport);
    const envelope = JSON.parse(bytes.toString()) as { report: string; signature: string };
    const forged = (from: string, to: string) =>
      Buffer.from(JSON.stringify({ ...envelope, report: envelope.report.replace(from, to) }));
    expect(() => readReport(forged('"applied"', '"failed"'))).toThrow(badReport);
    expect(() => readReport(forged(machine.id, other.id))).toThrow(badReport);
    expect(() => readReport(forged(machine.key, other.key))).toThrow(badReport);
  });

  it('is refused if any byte of it is another one', () => {
    const bytes = signedReport(machine, updates);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ change;
        let read;
        try {
          read = readReport(changed, machine.id);
        } catch (error) {
          expect(error).toBeInstanceOf(LaminaError);
          return;
        }
        // White space around it, or a base64 digit with bits to spare, is no other report.
        expect(read).toEqual(report(machine, updates));
      }),
      { numRuns: 500 },
    );
  });

  it('is as long as a report may be, at most: the oldest updates are left out', () => {
    const message = 'x'.repeat(4000);
    const many = Array.from({ length: 50 }, (_, i) =>
      outcomeReport(updateNumber(i + 1), 'failed', { error: { code: 'FAILED', message, hint: null } }),
    );
    const bytes = signedReport(machine, many);
    expect(bytes.length).toBeLessThanOrEqual(limits.machineReport.value);
    const read = readReport(bytes);
    expect(read.updates.length).toBeGreaterThan(10);
    expect(read.updates.at(-1)?.sequence).toBe(50);
    expect(() => readReport(Buffer.alloc(limits.machineReport.value + 1))).toThrow(badReport);
  });

  it.each(['', '{}', '[]', 'null', '{"report":"{}","signature":""}', '{"report":"x","signature":"eA=="}'])(
    'is refused: %j',
    (text) => {
      expect(() => readReport(Buffer.from(text))).toThrow(badReport);
    },
  );
});

describe('the reports of a channel', () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-fleet-')));
  const file = fromText(join(directory, 'machines.json'));
  const [known, unknown, silent] = [newMachine(), newMachine(), newMachine()];
  const carrier = carrierOf(directory);
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  it('count if the machine is enrolled; no other file hides them', async () => {
    expect(await enroll(file, [known.key, silent.key], 'operator')).toEqual({
      added: [known.id, silent.id],
      already: [],
    });
    expect(await enroll(file, [known.key], 'first-use')).toEqual({ added: [], already: [known.id] });
    for (const machine of [known, unknown])
      await carrier.write?.(reportPath(machine.id), signedReport(machine, [outcomeReport(updateNumber(1), 'applied')]));
    // Of a machine that somebody else reports for, of nobody, and one that is endless.
    await carrier.write?.(reportPath(silent.id), signedReport(unknown, []));
    writeFileSync(join(directory, 'reports', 'notes.txt'), 'x');
    await carrier.write?.(reportPath(newMachine().id), Buffer.alloc(limits.machineReport.value + 1, 'x'));
    const read = await readReports(carrier, readMachines(file), { signal });
    expect(read.reports.map(({ machine }) => machine)).toEqual([known.id]);
    expect(read.strangers.map(({ machine }) => machine)).toEqual([unknown.id]);
    expect(read.silent).toEqual([silent.id]);
    expect(read.refused.count).toBe(3);
  });

  it('count no more when the machine is expelled', async () => {
    await expect(expel(file, [known.id, unknown.id])).rejects.toMatchObject({ exitCode: 3, code: 'NOT_ENROLLED' });
    expect(Object.keys(readMachines(file))).toContain(known.id);
    await expel(file, [known.id]);
    expect((await readReports(carrier, readMachines(file), { signal })).reports).toEqual([]);
  });

  it('are of machines whose keys are keys, and a list of them that is damaged says so', async () => {
    const before = statSync(file, { bigint: true }).mtimeNs;
    for (const key of ['ed25519:', 'ed25519:AAAA', `rsa:${known.key.slice(8)}`, known.key.replace(/.=$/, 'B=')])
      await expect(enroll(file, [silent.key, key], 'operator')).rejects.toMatchObject({ code: 'BAD_MACHINE_KEY' });
    expect(statSync(file, { bigint: true }).mtimeNs).toBe(before);
    expect(identityOf(known.key)).toEqual({ id: known.id, key: known.key });
    writeFileSync(file, '{"version":1,"machines":{"x":{}}}');
    expect(() => readMachines(file)).toThrow(expect.objectContaining({ code: 'MACHINES_DAMAGED', exitCode: 5 }));
  });
});

describe('strangers', () => {
  it('cannot enroll themselves without end', async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-strangers-')));
    try {
      const file = join(directory, 'machines.json');
      const stranger = { key: newMachine().key, enrolled: '2026-01-01T00:00:00.000Z', how: 'first-use' };
      const ids = Array.from({ length: 100_000 }, (_, at) => `m-${String(at).padStart(32, '0')}`);
      const machines = Object.fromEntries(ids.map((id) => [id, stranger]));
      writeFileSync(file, JSON.stringify({ version: 1, machines }));
      const one = [newMachine().key];
      const tooMany = enroll(fromText(file), one, 'first-use');
      await expect(tooMany).rejects.toMatchObject({ code: 'TOO_MANY_MACHINES', kind: 'refused' });
      expect((await enroll(fromText(file), one, 'operator')).added).toHaveLength(1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
