import { describe, expect, it } from 'vitest';
import { emptyManifest } from '../../../src/manifest/index.js';
import { nameFaults } from '../../../src/verify/name-faults.js';
import type { StoreNames } from '../../../src/verify/name-faults.js';
import { commit, effect, withBase, withContainer } from '../manifest/support.js';
import { commitUpdate } from '../../../src/manifest/index.js';

const hex = '0123456789abcdef';
const manifest = (() => {
  const before = withContainer(withBase(), 'web');
  return commitUpdate(before, commit(before, 'update', [effect(before, 'web', 'S+Δ')]));
})();
const ids = Object.keys(manifest.nodes);

/** What must lie there for the manifest. */
const right: StoreNames = {
  root: [
    'asides',
    'history',
    'lock',
    'manifest-v1.json',
    'manifest.json',
    'mounts',
    'nodes',
    'transactions',
    'updates',
  ],
  nodes: new Map(ids.map((id) => [id, manifest.nodes[id]?.sealed === true ? ['index', 'tree'] : ['tree', 'work']])),
  updates: Object.keys(manifest.updates),
  unpublishedCatchUps: [],
  transactions: [`t-${hex}`],
  dead: new Set(),
  displaced: new Map([[`a-${hex}`, ['aside.json', 'tree']]]),
  images: { names: [], unused: [], damaged: new Map() },
  history: { names: [`u-${hex}`], unpublished: [], damaged: new Map() },
};
const faults = (names: Partial<StoreNames>) =>
  nameFaults(manifest, { ...right, ...names }).map(
    ({ code, subject, repair }) => `${code} ${subject}${repair === undefined ? '' : ' +'}`,
  );
const sealed = ids.find((id) => manifest.nodes[id]?.sealed === true) ?? '';
const writable = ids.find((id) => manifest.nodes[id]?.sealed !== true) ?? '';

describe('the names in a store', () => {
  it('are right where they are those of the manifest', () => {
    expect(faults({})).toEqual([]);
    expect(nameFaults(emptyManifest(), { ...right, nodes: new Map(), updates: [] })).toEqual([]);
  });

  it('that crashes leave may go', () => {
    expect(faults({ root: [...right.root, '.manifest.json.89abcdef.tmp'] })).toEqual([
      'TEMPORARY .manifest.json.89abcdef.tmp +',
    ]);
    expect(faults({ nodes: new Map([...right.nodes, [`d-${hex}`, []]]) })).toEqual([`UNKNOWN_NODE nodes/d-${hex} +`]);
    expect(faults({ updates: [...right.updates, `u-${hex}`] })).toEqual([`UNKNOWN_UPDATE updates/u-${hex} +`]);
    expect(faults({ unpublishedCatchUps: [`updates/u-${hex}/catch-up-9`] })).toEqual([
      `UNPUBLISHED_CATCH_UP updates/u-${hex}/catch-up-9 +`,
    ]);
    expect(faults({ dead: new Set([`t-${hex}`]) })).toEqual([`DEAD_TRANSACTION transactions/t-${hex} +`]);
    expect(faults({ displaced: new Map([[`a-${hex}`, ['tree']]]) })).toEqual([
      `UNFINISHED_DISPLACED asides/a-${hex} +`,
    ]);
    const begun = { names: [`u-${hex}`], unpublished: [`u-${hex}`], damaged: new Map<string, string>() };
    expect(faults({ history: begun })).toEqual([`UNFINISHED_RECORD history/u-${hex} +`]);
    const open = new Map([...right.nodes, [writable, ['index', 'origins.json', 'tree', 'work']]]);
    expect(faults({ nodes: open })).toEqual([
      `UNUSED_INDEX nodes/${writable}/index +`,
      `UNUSED_ORIGINS nodes/${writable}/origins.json +`,
    ]);
  });

  it('of strangers stay', () => {
    expect(faults({ root: [...right.root, 'notes'] })).toEqual(['STRANGER notes']);
    expect(faults({ nodes: new Map([...right.nodes, ['backup', ['tree']]]) })).toEqual(['STRANGER nodes/backup']);
    expect(faults({ transactions: ['old'] })).toEqual(['STRANGER transactions/old']);
    const history = { names: ['notes'], unpublished: [], damaged: new Map<string, string>() };
    expect(faults({ history })).toEqual(['STRANGER history/notes']);
  });

  it('that are missing are damage nobody can mend', () => {
    const history = { names: [`u-${hex}`], unpublished: [], damaged: new Map([[`u-${hex}`, 'it is not JSON']]) };
    expect(faults({ history })).toEqual([`HISTORY_DAMAGED history/u-${hex}`]);
    expect(faults({ updates: [] })).toEqual([`UPDATE_FILES_MISSING ${right.updates[0] ?? ''}`]);
    expect(faults({ nodes: new Map([...right.nodes, [sealed, []]]) })).toEqual([
      `TREE_MISSING ${sealed}`,
      `INDEX_MISSING ${sealed}`,
    ]);
    expect(faults({ nodes: new Map([...right.nodes].filter(([id]) => id !== sealed)) })).toEqual([
      `NODE_FILES_MISSING ${sealed}`,
    ]);
  });
});
