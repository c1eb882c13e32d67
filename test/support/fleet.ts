import { createHash } from 'node:crypto';
import type { ChannelState, ChannelUpdate } from '../../src/channel/index.js';
import { encodeReport, machineOf, newPrivateKey } from '../../src/fleet/index.js';
import type { Machine, Report, UpdateReport } from '../../src/fleet/index.js';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** An update of a channel for base `tiny`, offered to all. */
export function updateNumber(sequence: number, more: Partial<ChannelUpdate> = {}): ChannelUpdate {
  const name = more.name ?? `u${String(sequence)}`;
  return {
    sequence,
    name,
    base: 'tiny',
    package: { path: `${name}.tar`, sha256: sha256(name), bytes: 1000 },
    group: null,
    percent: 100,
    withdrawn: false,
    withNewer: false,
    from: null,
    to: null,
    publishedAt: '2026-01-01T00:00:00.000Z',
    ...more,
  };
}

export function stateOf(...updates: ChannelUpdate[]): ChannelState {
  return { version: 7, base: 'tiny', expires: '2030-01-01T00:00:00.000Z', updates };
}

export const newMachine = (): Machine => machineOf(newPrivateKey());

/** What a machine reports of an update. */
export function outcomeReport(
  { sequence, name, package: file }: ChannelUpdate,
  outcome: UpdateReport['outcome'],
  more: Partial<UpdateReport> = {},
): UpdateReport {
  return {
    sequence,
    name,
    sha256: file.sha256,
    outcome,
    started: '2026-01-01T00:00:00.000Z',
    seconds: 1.5,
    containers: { changed: 1, skipped: 2, unchanged: 0, failed: 0, conflicts: 0 },
    failures: [],
    error: outcome === 'failed' ? { code: 'UNHEALTHY', message: 'it is unhealthy', hint: null } : null,
    ...more,
  };
}

export function reportContent(
  updates: readonly UpdateReport[],
  more: Partial<Report> = {},
): Omit<Report, 'version' | 'machine' | 'key'> {
  const who = { host: 'host', lamina: '1.0.0', base: 'tiny', group: null, channel: 7 };
  return { ...who, written: '2026-01-01T00:00:00.000Z', updates, ...more };
}

/** As `readReport` gives it. */
export function report(machine: Machine, updates: readonly UpdateReport[], more: Partial<Report> = {}): Report {
  return { version: 1, machine: machine.id, key: machine.key, ...reportContent(updates, more) };
}

export const signedReport = (machine: Machine, updates: readonly UpdateReport[], more: Partial<Report> = {}) =>
  encodeReport(machine, reportContent(updates, more));
