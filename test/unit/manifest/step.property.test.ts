import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkGraph, isSoundStep, parseManifest, serialiseManifest } from '../../../src/manifest/index.js';
import { id, updated, withBase, withContainer } from './support.js';
import type { effect } from './support.js';

type Outcome = Parameters<typeof effect>[2];

const outcomes = (...[web, db, constructor]: [Outcome, Outcome, Outcome]): Record<string, Outcome> => ({
  web,
  db,
  constructor,
});

/** A base with two updates, two containers of it with delta storages, another container, and another base. */
const history = (() => {
  let manifest = withContainer(withContainer(withContainer(withBase(), 'web'), 'db'), 'constructor');
  const states = [manifest];
  manifest = updated(manifest, 'first', outcomes('S+Δ', '0', 'S')).manifest;
  states.push(manifest);
  manifest = withContainer(withBase(manifest, 'other'), 'other', 'other');
  states.push(manifest);
  manifest = updated(manifest, 'second', outcomes('0+Δ', 'S+Δ', 'failed')).manifest;
  return [...states, manifest];
})();
const newest = history.at(-1)!;

type Row = Record<string, unknown>;
type Table = Record<string, Row>;

/** Rows of a table with one removed, copied to a new key, or with a field of another row. */
function damaged(table: Table, kind: 'remove' | 'copy' | 'field', seeds: readonly number[]): Table {
  const keys = Object.keys(table);
  if (keys.length === 0) return table;
  const [a = 0, b = 0, c = 0] = seeds;
  const [key, other] = [keys[a % keys.length]!, keys[b % keys.length]!];
  if (kind === 'remove') return Object.fromEntries(Object.entries(table).filter(([each]) => each !== key));
  const row = table[key]!;
  if (kind === 'copy') return { ...table, [/^.-/.test(key) ? id(key.charAt(0)) : `new-${key}`]: { ...table[other]! } };
  const fields = Object.keys(row);
  const field = fields[c % fields.length]!;
  const value = field === 'sealed' ? row[field] !== true : table[other]![field];
  return { ...table, [key]: { ...row, [field]: value } };
}

const tables = ['nodes', 'bases', 'containers', 'updates'] as const;
const damage = fc.record({
  table: fc.constantFrom(...tables),
  kind: fc.constantFrom('remove' as const, 'copy' as const, 'field' as const),
  seeds: fc.array(fc.nat(), { minLength: 3, maxLength: 3 }),
});

describe('a step from a sound manifest', () => {
  it('is taken for sound only where the whole graph is', () => {
    let unsound = 0;
    let taken = 0;
    fc.assert(
      fc.property(
        fc.nat(history.length - 1),
        fc.nat(history.length - 1),
        fc.array(damage, { maxLength: 4 }),
        (from, to, damages) => {
          let after = history[to]!;
          for (const { table, kind, seeds } of damages)
            after = { ...after, [table]: damaged(after[table], kind, seeds) };
          const findings = checkGraph(after);
          if (findings.length > 0) unsound += 1;
          if (!isSoundStep(history[from]!, after)) return;
          expect(findings).toEqual([]);
          if (damages.length > 0) taken += 1;
        },
      ),
      { numRuns: Number(process.env['LAMINA_PROPERTY_RUNS'] ?? 20_000) },
    );
    expect(unsound).toBeGreaterThan(0);
    expect(taken).toBeGreaterThan(0);
  });

  it('is written as if nothing of the manifest before were known', () => {
    fc.assert(
      fc.property(fc.nat(history.length - 1), fc.nat(history.length - 1), fc.array(damage), (from, to, damages) => {
        const text = serialiseManifest(history[from]!);
        const before = { manifest: parseManifest(text), text };
        let after = { ...before.manifest, ...history[to], nodes: { ...history[to]!.nodes, ...before.manifest.nodes } };
        for (const { table, kind, seeds } of damages) after = { ...after, [table]: damaged(after[table], kind, seeds) };
        expect(serialiseManifest(after, before)).toBe(serialiseManifest(after));
      }),
    );
  });

  it('is seen to be sound where something was added', () => {
    history.slice(1).forEach((after, i) => {
      expect(isSoundStep(history[i]!, after)).toBe(true);
    });
    expect(isSoundStep(newest, withContainer(newest, 'new'))).toBe(true);
    expect(isSoundStep(newest, newest)).toBe(true);
  });
});
