import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adopt, checkGraph, emptyManifest, excerptOf, stackOf, withNames } from '../../../src/manifest/index.js';
import type { Manifest } from '../../../src/manifest/index.js';
import { id, updated, withBase, withContainer } from './support.js';
import type { effect } from './support.js';

type Outcome = Parameters<typeof effect>[2];

const outcomes = (...[web, db, constructor]: [Outcome, Outcome, Outcome]): Record<string, Outcome> => ({
  web,
  db,
  constructor,
});

/** Two bases with updates, containers that had them all or in part, and one whose name objects inherit. */
const whole = (() => {
  let manifest = withContainer(withContainer(withContainer(withBase(), 'web'), 'db'), 'constructor');
  manifest = updated(manifest, 'first', outcomes('S+Δ', '0', 'S')).manifest;
  manifest = withContainer(withBase(manifest, 'other'), 'far', 'other');
  manifest = updated(manifest, 'elsewhere', { far: 'S+Δ' }, 'other').manifest;
  return updated(manifest, 'second', outcomes('0+Δ', 'S+Δ', 'failed')).manifest;
})();
const all = [...Object.keys(whole.containers), ...Object.keys(whole.bases)];

const freshId = (old: string) => id(old.charAt(0));
const everything = (manifest: Manifest) => new Set(Object.keys(manifest.nodes));
const arriving = (manifest: Manifest) => ({ manifest, equal: everything(manifest), freshId });

describe('part of a manifest', () => {
  const names = fc.subarray(all, { minLength: 1 });

  it('is sound by itself, and what is left of the containers in it is the same', () => {
    fc.assert(
      fc.property(names, (chosen) => {
        const part = excerptOf(whole, chosen);
        expect(checkGraph(part)).toEqual([]);
        for (const name of Object.keys(part.containers)) expect(stackOf(part, name)).toEqual(stackOf(whole, name));
        const containers = chosen.filter((name) => !Object.hasOwn(whole.bases, name));
        expect(Object.keys(part.containers).sort()).toEqual(containers.sort());
      }),
    );
  });

  it('comes into an empty store as it is', () => {
    fc.assert(
      fc.property(names, (chosen) => {
        const part = excerptOf(whole, chosen);
        const { manifest, added } = adopt(emptyManifest('trusted'), arriving(part));
        expect(checkGraph(manifest)).toEqual([]);
        expect({ ...manifest, generation: 0, marks: null }).toEqual({ ...part, generation: 0, marks: null });
        expect(added.length).toBe(Object.keys(part.nodes).length);
        expect(manifest.generation).toBeGreaterThan(whole.generation);
      }),
    );
  });

  it('comes to what is there under other names, with storages of its own', () => {
    fc.assert(
      fc.property(names, names, (first, second) => {
        const present = adopt(emptyManifest('trusted'), arriving(excerptOf(whole, first))).manifest;
        const renames = new Map(
          second.flatMap((name) => (Object.hasOwn(whole.bases, name) ? [] : [[name, `${name}-again`] as const])),
        );
        const part = withNames(excerptOf(whole, second), renames);
        const { manifest, ids, added } = adopt(present, arriving(part));
        expect(checkGraph(manifest)).toEqual([]);
        for (const name of Object.keys(part.containers))
          expect(stackOf(manifest, name).nodes).toEqual(stackOf(part, name).nodes.map((each) => ids.get(each)));
        const layers = added.filter((each) => /^[bd]/.test(each));
        expect(layers.filter((each) => each in present.nodes)).toEqual([]);
      }),
    );
  });

  it('is refused where its names, or its layers with other content, are there', () => {
    const part = excerptOf(whole, ['web']);
    expect(() => adopt(whole, arriving(part))).toThrow("a container named 'web' already exists");
    const renamed = withNames(part, new Map([['web', 'new']]));
    expect(() => adopt(whole, { ...arriving(renamed), equal: new Set() })).toThrow(/with other content/);
    expect(() => adopt(withBase(), arriving(part))).toThrow("a base named 'debian' already exists");
    const older = excerptOf({ ...whole, bases: { ...whole.bases, debian: whole.bases['other']! } }, ['debian']);
    expect(() => adopt(whole, arriving(older))).toThrow("a base named 'debian' already exists");
    const other = withNames(part, new Map(Object.entries({ web: 'new', debian: 'twin' })));
    expect(() => adopt(whole, arriving(other))).toThrow(/update 'first' is in the store already, of base 'debian'/);
    const named = updated(withBase(emptyManifest(), 'third'), 'first', {}, 'third').manifest;
    expect(() => adopt(named, arriving(part))).toThrow("an update named 'first' already exists");
    for (const [old, name] of [
      ['absent', 'x'],
      ['web', 'a/b'],
      ['first', 'second'],
    ] as const)
      expect(() => withNames(part, new Map([[old, name]]))).toThrow(expect.objectContaining({ exitCode: 2 }));
  });
});
