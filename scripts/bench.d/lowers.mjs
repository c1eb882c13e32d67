// What a lookup costs, found and not found, as the stack grows.
import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { available, drivers } from './drivers.mjs';
import { functionsOf } from './orchestrator.mjs';
import { dropCaches, timing } from './shell.mjs';
import { median } from './statistics.mjs';
import { duration, table } from './text.mjs';

const depths = [2, 20, 100, 500];
const names = ['overlayfs', 'fuse-overlayfs', 'laminafs, stateless'];
const filesBelow = 2000;

/**
 * Lowers named 0, 1, … newest first, and their indexes i0, i1, …; short names, for mount(2) takes a page of options.
 * Each has the directory `shared` with ten files of its own; the lowest 2,000.
 */
async function makeLowers({ checkout, scratch }, depth) {
  const { scanTree, encodeIndex, fromText } = await functionsOf(checkout);
  const cwd = join(scratch, `stack-${depth}`);
  for (let layer = 0; layer < depth; layer++) {
    const shared = join(cwd, String(layer), 'shared');
    mkdirSync(shared, { recursive: true });
    const count = layer === depth - 1 ? filesBelow : 10;
    for (let file = 0; file < count; file++)
      writeFileSync(join(shared, `${layer === depth - 1 ? 'low' : layer}-${file}`), '');
    const index = await encodeIndex(await scanTree(fromText(join(cwd, String(layer))), { hash: true }));
    writeFileSync(join(cwd, `i${layer}`), index);
  }
  const joined = (prefix) => Array.from({ length: depth }, (_, layer) => `${prefix}${layer}`).join(':');
  return { cwd, lower: joined(''), index: joined('i'), directory: join(cwd, 'mounted') };
}

/** Seconds for each of the names. */
function lookups(root, prefix) {
  const paths = Array.from({ length: filesBelow }, (_, i) => join(root, 'shared', `${prefix}-${i}`));
  lstatSync(join(root, 'shared'));
  return timing(() => paths.forEach((path) => lstatSync(path, { throwIfNoEntry: false }))) / filesBelow;
}

export const section = {
  name: 'lowers',
  title: 'Lookups in deep stacks',
  async measure(context) {
    const rows = [];
    for (const depth of depths) {
      const place = { ...(await makeLowers(context, depth)), laminafs: context.laminafs };
      mkdirSync(place.directory);
      for (const driver of available(place, names)) {
        const figures = { found: [], absent: [] };
        for (let round = 0; round < context.options.rounds; round++) {
          const mount = drivers[driver].mount(place);
          try {
            dropCaches('dentries');
            figures.found.push(lookups(mount.root, 'low'));
            figures.absent.push(lookups(mount.root, 'no'));
          } finally {
            mount.end();
          }
        }
        process.stderr.write(`lowers: ${depth}, ${driver}\n`);
        rows.push({ depth, driver, found: median(figures.found), absent: median(figures.absent) });
      }
    }
    return rows;
  },
  text(rows) {
    const head = ['lowers', ...names.flatMap((name) => [`${name}, found`, 'absent'])];
    const lines = depths.map((depth) => [
      depth,
      ...names.flatMap((driver) => {
        const row = rows.find((each) => each.depth === depth && each.driver === driver);
        return [duration(row?.found), duration(row?.absent)];
      }),
    ]);
    return `One lstat(2) after the dentries were dropped: of each of 2,000 files of the lowest lower in a directory that all lowers have, and of 2,000 names that none has. \`laminafs\` has indexes of the
lowers. –: the driver cannot mount so many.

${table(head, lines)}`;
  },
};
