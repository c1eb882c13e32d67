/** A manifest of an older version, of which nothing else is known. */
type Old = Record<string, unknown>;
type Table = Record<string, Old>;

/**
 * What makes a manifest of version i + 1 one of version i + 2. Append-only: a step that was released is never changed,
 * because there are stores that only it can read. Each has a frozen sample in test/format.
 */
const steps: readonly ((manifest: Old) => Old)[] = [
  // 2: updates and bases have versions, nodes record what was merged into them, effects count conflicts.
  (manifest) => ({
    ...manifest,
    nodes: mapTable(manifest['nodes'], (node) => ({ ...node, merged: [] })),
    bases: mapTable(manifest['bases'], (base) => ({ ...base, version: null })),
    updates: mapTable(manifest['updates'], (update) => ({
      ...update,
      version: null,
      description: null,
      effects: Array.isArray(update['effects'])
        ? update['effects'].map((effect: unknown) => (isObject(effect) ? { ...effect, conflicts: 0 } : effect))
        : update['effects'],
    })),
  }),
  // 3: a store records which attributes are its overlay marks. For an older one this is set at its next change.
  (manifest) => ({ ...manifest, marks: null }),
  // 4: base layers and bases may come from images.
  (manifest) => ({
    ...manifest,
    nodes: mapTable(manifest['nodes'], (node) => ({ ...node, image: null })),
    bases: mapTable(manifest['bases'], (base) => ({ ...base, image: null })),
  }),
  // 5: updates may be new images.
  (manifest) => ({
    ...manifest,
    updates: mapTable(manifest['updates'], (update) => ({ ...update, image: null })),
  }),
  // 6: a store may keep snapshots for containerd.
  (manifest) => ({ ...manifest, containerd: {} }),
];

/**
 * Brings a manifest of version `from`, 1 or newer, to the current version. What is not a manifest is returned
 * unchanged: the schema refuses it.
 */
export function migrate(value: unknown, from: number): unknown {
  if (!isObject(value)) return value;
  return steps.slice(from - 1).reduce((manifest, step, i) => ({ ...step(manifest), version: from + i + 1 }), value);
}

function isObject(value: unknown): value is Old {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapTable(table: unknown, change: (row: Old) => Old): unknown {
  if (!isObject(table)) return table;
  return Object.fromEntries(Object.entries(table as Table).map(([id, row]) => [id, isObject(row) ? change(row) : row]));
}
