import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writtenAfter } from '../../../src/agent/state-report.js';
import { fromText } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';
import { carrierOf } from '../../../src/channel/index.js';
import { enroll, pruneReports, readMachines, receive, reportPath } from '../../../src/fleet/index.js';
import type { Machine } from '../../../src/fleet/index.js';
import { newMachine, outcomeReport, signedReport, updateNumber } from '../../support/fleet.js';

let directory: string;
const signal = new AbortController().signal;
const machines = () => fromText(join(directory, 'machines.json'));

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-receive-')));
  mkdirSync(join(directory, 'metadata'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const kept = (machine: Machine) => readFileSync(join(directory, reportPath(machine.id)));
const at = (written: string, outcome: 'applied' | 'failed', machine: Machine) =>
  signedReport(machine, [outcomeReport(updateNumber(1), outcome)], { written });

describe('channel receive', () => {
  /** Receives while `work` runs. */
  async function receiving(work: (send: (bytes: Buffer) => Promise<number>) => Promise<void>) {
    const end = new AbortController();
    let listens: (address: string) => void = () => undefined;
    const address = new Promise<string>((resolve) => (listens = resolve));
    const running = receive({
      ...{ host: '127.0.0.1', port: 0, trustNew: false, signal: end.signal, machines: machines() },
      carrier: carrierOf(directory),
      metadata: fromText(join(directory, 'metadata')),
      onListen: listens,
    });
    try {
      const url = `${await address}/reports`;
      await work(async (bytes) => {
        const response = await fetch(url, { method: 'POST', body: Uint8Array.from(bytes) });
        await response.text();
        return response.status;
      });
    } finally {
      end.abort();
    }
    return running;
  }

  it('takes each report of a machine once, and none that is older than the one it has', async () => {
    const machine = newMachine();
    await enroll(machines(), [machine.key], 'operator');
    const first = at('2026-01-01T10:00:00.000Z', 'applied', machine);
    const second = at('2026-01-01T10:00:00.001Z', 'failed', machine);
    const sameTime = at('2026-01-01T10:00:00.001Z', 'applied', machine);
    const counts = await receiving(async (send) => {
      expect(await send(first)).toBe(204);
      expect(await send(second)).toBe(204);
      // A replay must not hide the failure.
      expect(await send(first)).toBe(409);
      expect(await send(sameTime)).toBe(409);
      // The machine may not have heard that its report came in.
      expect(await send(second)).toBe(204);
      expect(kept(machine)).toEqual(second);
    });
    expect(counts).toEqual({ accepted: 3, refused: 2 });
  });

  it('keeps the newest of reports that come at the same time', async () => {
    const machine = newMachine();
    await enroll(machines(), [machine.key], 'operator');
    const times = Array.from({ length: 20 }, (_, i) => `2026-01-01T10:00:00.${String(i + 100)}Z`);
    await receiving(async (send) => {
      const shuffled = times.map((_, i) => times[(i * 7) % 20] ?? '');
      const statuses = await Promise.all(shuffled.map(async (time) => send(at(time, 'applied', machine))));
      expect(statuses.every((status) => status === 204 || status === 409)).toBe(true);
    });
    expect(kept(machine)).toEqual(at(times.at(-1) ?? '', 'applied', machine));
  });

  it('takes a report in place of something that is none, and answers one that is too long', async () => {
    const machine = newMachine();
    await enroll(machines(), [machine.key], 'operator');
    mkdirSync(join(directory, 'reports'));
    for (const junk of ['x', ' '.repeat(limits.machineReport.value + 1)]) {
      writeFileSync(join(directory, reportPath(machine.id)), junk);
      await receiving(async (send) => {
        expect(await send(at('2026-01-01T10:00:00.000Z', 'applied', machine))).toBe(204);
        expect(await send(Buffer.alloc(limits.machineReport.value + 1, ' '))).toBe(413);
        expect(await send(at('2026-01-01T11:00:00.000Z', 'applied', newMachine()))).toBe(403);
        expect(await send(Buffer.from('{}'))).toBe(400);
      });
    }
  });
});

describe('the time in a report', () => {
  it('grows, also where the clock was set back', () => {
    const now = '2026-01-01T10:00:00.000Z';
    expect(writtenAfter(undefined, now)).toBe(now);
    expect(writtenAfter('2026-01-01T09:59:59.999Z', now)).toBe(now);
    expect(writtenAfter(now, now)).toBe('2026-01-01T10:00:00.001Z');
    expect(writtenAfter('2026-01-08T10:00:00.000Z', now)).toBe('2026-01-08T10:00:00.001Z');
  });
});

describe('reports of machines that are not enrolled', () => {
  const now = new Date('2026-01-10T12:00:00.000Z');

  it('are removed, but for those of machines that may still wait', async () => {
    const [known, fresh, old, future] = [newMachine(), newMachine(), newMachine(), newMachine()];
    await enroll(machines(), [known.key], 'operator');
    mkdirSync(join(directory, 'reports'));
    const write = (name: string, bytes: Buffer | string) => {
      writeFileSync(join(directory, 'reports', name), bytes);
    };
    write(`${known.id}.json`, at('2025-01-01T00:00:00.000Z', 'applied', known));
    write(`${fresh.id}.json`, at('2026-01-09T00:00:00.000Z', 'applied', fresh));
    write(`${old.id}.json`, at('2026-01-08T11:00:00.000Z', 'applied', old));
    write(`${future.id}.json`, at('2099-01-01T00:00:00.000Z', 'applied', future));
    write(`m-${'1'.repeat(32)}.json`, kept(known));
    write(`m-${'2'.repeat(32)}.json`, ' '.repeat(limits.machineReport.value + 1));
    write('notes.txt', 'of the operator');
    const request = { carrier: carrierOf(directory), machines: readMachines(machines()), signal, now };
    const garbage = [`m-${'1'.repeat(32)}`, `m-${'2'.repeat(32)}`, old.id, future.id]
      .map((id) => reportPath(id))
      .sort();
    expect(await pruneReports({ ...request, dryRun: true })).toEqual(garbage);
    expect(readdirSync(join(directory, 'reports'))).toHaveLength(7);
    expect(await pruneReports({ ...request, dryRun: false })).toEqual(garbage);
    expect(readdirSync(join(directory, 'reports')).sort()).toEqual(
      [`${known.id}.json`, `${fresh.id}.json`, 'notes.txt'].sort(),
    );
  });

  it('all stay where no machine is enrolled: the list may be elsewhere', async () => {
    const machine = newMachine();
    mkdirSync(join(directory, 'reports'));
    writeFileSync(join(directory, reportPath(machine.id)), at('2020-01-01T00:00:00.000Z', 'applied', machine));
    const request = { carrier: carrierOf(directory), machines: {}, dryRun: false, signal, now };
    expect(await pruneReports(request)).toEqual([]);
    expect(kept(machine).length).toBeGreaterThan(0);
  });

  it('cannot be removed by way of a web server', async () => {
    const request = { carrier: carrierOf('http://127.0.0.1:9/'), machines: {}, dryRun: false, signal };
    await expect(pruneReports(request)).rejects.toMatchObject({ code: 'CHANNEL_READ_ONLY' });
  });
});
