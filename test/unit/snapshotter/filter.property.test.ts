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

  it('takes a field that is not there for an empty one, but asks whether it is', () => {
    const snapshot: SnapshotData = {
      ...{ name: 'web', parent: '', kind: 'view', labels: { full: 'x', constructor: 'own' } },
      ...{ created: '', updated: '' },
    };
    expect(matches('labels.none!=""', snapshot)).toBe(false);
    expect(matches('labels.none!=x', snapshot)).toBe(true);
    expect(matches('labels.none~=^$', snapshot)).toBe(true);
    expect(matches('labels.none==""', snapshot)).toBe(false);
    expect(matches('labels.none', snapshot)).toBe(false);
    expect(matches('parent', snapshot)).toBe(true);
    expect(matches('parent!=""', snapshot)).toBe(false);
    expect(matches('labels.toString', snapshot)).toBe(false);
    expect(matches('labels.constructor==own', snapshot)).toBe(true);
  });

  it('has strings and regular expressions of Go', () => {
    const named = (name: string): SnapshotData => ({
      ...{ name, parent: '', kind: 'view', labels: {}, created: '', updated: '' },
    });
    for (const escaped of ['"\\xc3\\xa9"', '"\\303\\251"', '"\\u00e9"', '"\\U000000e9"', '"é"', 'é'])
      expect(matches(`name==${escaped}`, named('é'))).toBe(true);
    const same = [
      ['(?i)^WEB', 'web'],
      ['\\Aweb\\z', 'web'],
      ['web\\-1', 'web-1'],
      ['^[[:alpha:]]+$', 'web'],
      ['^(?P<all>.)$', '\u{1f600}'],
      ['^\\x{1F600}$', '\u{1f600}'],
      ['^\\pL+$', 'é'],
      ['^\\Qa.b\\E$', 'a.b'],
      ['^a\\\\z$', 'a\\z'],
    ];
    for (const [pattern = '', name = ''] of same)
      expect([pattern, matches(`name~=${pattern}`, named(name))]).toEqual([pattern, true]);
    expect(matches('name~=^\\Qa.b\\E$', named('axb'))).toBe(false);
    expect(matches('name~=web\\z', named('web1'))).toBe(false);
    expect(matches('name~=/^a\\/b$/', named('a/b'))).toBe(true);
    expect(matches('name~=|^a/b$|', named('a/b'))).toBe(true);
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
