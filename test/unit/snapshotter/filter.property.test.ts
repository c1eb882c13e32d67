import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaminaError } from '../../../src/base/errors.js';
import type { SnapshotData } from '../../../src/app/snapshots.js';
import { parseFilters } from '../../../src/snapshotter/filter.js';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const snapshots = fc.record<SnapshotData>({
  name: text,
  parent: text,
  kind: fc.constantFrom('committed', 'active', 'view'),
  labels: fc.dictionary(text, text, { maxKeys: 3 }),
  created: fc.constant('2026-11-30T00:00:00.000Z'),
  updated: fc.constant('2026-11-30T00:00:00.000Z'),
});

/** As Go's strconv.Quote writes it, in ASCII. */
const quoted = (value: string) =>
  `"${Array.from(value)
    .map((each) =>
      /[ -~]/.test(each) && !/["\\]/.test(each) ? each : `\\U${each.codePointAt(0)!.toString(16).padStart(8, '0')}`,
    )
    .join('')}"`;

const matches = (filter: string, snapshot: SnapshotData) => parseFilters([filter])(snapshot);

describe('a filter', () => {
  it('finds a snapshot by any value, quoted', () => {
    fc.assert(
      fc.property(snapshots, text, (snapshot, other) => {
        for (const field of ['name', 'parent'] as const) {
          expect(matches(`${field}==${quoted(snapshot[field])}`, snapshot)).toBe(true);
          expect(matches(`${field}!=${quoted(snapshot[field])}`, snapshot)).toBe(false);
          expect(matches(`${field} == ${quoted(other)}`, snapshot)).toBe(snapshot[field] === other);
        }
        for (const [key, value] of Object.entries(snapshot.labels)) {
          expect(matches(`labels.${quoted(key)}==${quoted(value)},kind==${snapshot.kind}`, snapshot)).toBe(true);
          expect(matches(`labels.${quoted(key)}`, snapshot)).toBe(true);
        }
        expect(matches(`labels.${quoted(other)}`, snapshot)).toBe(Object.hasOwn(snapshot.labels, other));
      }),
    );
  });

  it('is one that all of its selectors match, and one of several is enough', () => {
    const snapshot: SnapshotData = {
      ...{ name: 'web-1', parent: '', kind: 'active', labels: { 'a.b': 'c' } },
      ...{ created: '', updated: '' },
    };
    expect(matches('labels.a.b==c', snapshot)).toBe(true);
    expect(matches('name~=^web-[0-9]$', snapshot)).toBe(true);
    expect(matches('name~=/^db/', snapshot)).toBe(false);
    expect(matches('kind==active,name==db', snapshot)).toBe(false);
    expect(parseFilters(['name==db', 'parent==""'])(snapshot)).toBe(true);
    expect(parseFilters([])(snapshot)).toBe(true);
    expect(matches('', snapshot)).toBe(true);
    expect(matches('unknown!=x', snapshot)).toBe(true);
  });

  it('that is none is refused with the place', () => {
    for (const filter of ['==x', 'name==', 'name=x', 'name=="x', 'name,', 'name==x y', 'a..b', 'name~=(', '"\\q"'])
      expect(() => parseFilters([filter])).toThrow(/is not valid at character \d+/);
    expect(() => parseFilters(['x'.repeat(20_000)])).toThrow(/longer than/);
  });

  it('of any text is read or refused', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.stringMatching(/^[a-z.,=!~"/|\\ ]{0,20}$/)), snapshots, (filter, snapshot) => {
        try {
          parseFilters([filter])(snapshot);
        } catch (error) {
          expect(error).toBeInstanceOf(LaminaError);
        }
      }),
    );
  });
});
