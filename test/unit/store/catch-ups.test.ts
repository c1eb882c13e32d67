import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { LaminaError } from '../../../src/base/errors.js';
import { StorePaths, readCatchUps, runOf } from '../../../src/store/index.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const update = 'u-0123456789abcdef';
let stores = 0;

/** A store that holds the records of catch-ups, by generation. */
function storeWith(records: Record<number, string>): StorePaths {
  const paths = new StorePaths(at(`store-${++stores}`));
  for (const [generation, text] of Object.entries(records)) {
    const { directory, description } = paths.update(update).catchUp(Number(generation));
    mkdirSync(toBuffer(directory), { recursive: true });
    writeFileSync(toBuffer(description), text);
  }
  return paths;
}

describe('records of catch-ups', () => {
  it('count by container, the newest of each', () => {
    const record = (container: string, met: string | null) => JSON.stringify({ container, met, conflicts: ['etc/x'] });
    const because = { path: 'etc', did: [{ action: 'open', path: 'etc' }] };
    const newer = JSON.stringify({ container: 'new', ranBecauseOf: because, conflicts: [] });
    const paths = storeWith({ 9: record('web', 'old'), 10: record('web', null), 7: record('db', 'etc'), 6: newer });
    const found = readCatchUps(paths, update);
    expect(
      [...found].map(
        ([
          name,
          {
            record: { ranBecauseOf, conflicts },
          },
        ]) => [name, ranBecauseOf, conflicts],
      ),
    ).toEqual([
      ['web', null, ['etc/x']],
      // Earlier versions have the path alone.
      ['db', { path: 'etc', did: [] }, ['etc/x']],
      ['new', because, []],
    ]);
    expect(runOf(paths, update, 'web')).toEqual(paths.update(update).catchUp(10));
    expect(runOf(paths, update, 'idle')).toEqual(paths.update(update).run('idle'));
  });

  it('say what mounted the container, where a version recorded it that did', () => {
    const engine = { engine: 'kernel', because: 'it is faster' };
    const record = { container: 'new', ranBecauseOf: null, conflicts: [] };
    const paths = storeWith({
      9: JSON.stringify({ ...record, engine }),
      8: JSON.stringify({ ...record, container: 'none', engine: null }),
      7: JSON.stringify({ ...record, container: 'before' }),
      6: JSON.stringify({ container: 'earliest', met: null, conflicts: [] }),
    });
    const found = [...readCatchUps(paths, update)].map(([name, { record: read }]) => [name, read.engine]);
    expect(Object.fromEntries(found)).toEqual({ new: engine, none: null, before: null, earliest: null });
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{"container":'],
    ['null', 'null'],
    ['a wrong type', '{"container": 7, "met": null, "conflicts": []}'],
    ['a missing field', '{"container": "web", "met": null}'],
    [
      'an unknown engine',
      '{"container": "web", "ranBecauseOf": null, "conflicts": [], "engine": {"engine": "magic", "because": null}}',
    ],
    ['an unknown field', '{"container": "web", "met": null, "conflicts": [], "more": 1}'],
  ])('that hold %s are damaged, and it is said where and what to do', (_, text) => {
    const paths = storeWith({ 10: text });
    for (const read of [() => readCatchUps(paths, update), () => runOf(paths, update, 'web')]) {
      let thrown: unknown;
      try {
        read();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(LaminaError);
      expect(thrown).toMatchObject({
        kind: 'damaged',
        code: 'CATCH_UP_DAMAGED',
        message: expect.stringContaining(paths.update(update).catchUp(10).description) as string,
        hint: expect.stringContaining('remove') as string,
      });
    }
  });

  it('that are missing are damage, too: the directory is there only with its record', () => {
    const paths = storeWith({});
    mkdirSync(toBuffer(paths.update(update).catchUp(3).directory), { recursive: true });
    expect(() => readCatchUps(paths, update)).toThrow(/catch-up-3/);
  });
});
