// An update of a base under many containers: what the fleet costs beside the runs that are needed.
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { debianImages } from './input.mjs';
import { functionsOf, storeAt } from './orchestrator.mjs';
import { duration, size, table, targets } from './text.mjs';

/** Reads and edits one file, adds another: a container that has a /etc/motd of its own overlaps. */
export const procedure = `#!/bin/sh
set -e
sed -i 's/Debian/Debian, serviced/' /etc/motd
mkdir -p /usr/share/fleet
cp /etc/debian_version /usr/share/fleet/version
`;

const shares = [0, 0.05, 1];
const everywhere = ['etc/app', 'var/lib/app', 'srv/www', 'home/app'];

/** What each container adds to an update that overlaps with none of them, in seconds. */
function skippingOf(rows, containers) {
  const none = rows.find((row) => row.containers === containers && row.affected === 0);
  return Math.max(0, none.seconds - none.alone) / containers;
}

/** Of the largest fleet. */
function aims(rows) {
  const containers = Math.max(...rows.map((row) => row.containers));
  const largest = rows.filter((row) => row.containers === containers);
  const some = largest.find(({ affected }) => affected > 0 && affected < containers) ?? largest[0];
  const runs = some.affected + 1;
  return [
    [`${containers} containers, none overlapping: each adds`, skippingOf(rows, containers), 0.005, duration],
    [`${containers} containers, ${some.affected} overlapping: ${runs} runs`, some.seconds, runs * some.alone, duration],
    [`memory with ${containers} containers`, Math.max(...largest.map(({ peak }) => peak)), 250 << 20, size],
  ];
}

/** A row for each number of containers and share of them that the update overlaps with. */
async function measure({ checkout, scratch, options }) {
  const functions = await functionsOf(checkout);
  const rows = [];
  for (const containers of options.containers) {
    const directory = join(scratch, `fleet-${containers}`);
    const store = storeAt(checkout, directory);
    await store.lamina('init');
    await store.lamina('base', 'import', 'debian', debianImages(checkout).root);
    const script = join(scratch, 'service');
    writeFileSync(script, procedure);
    chmodSync(script, 0o755);
    const alone = await update(store, script);
    const tops = await makeContainers(functions, directory, containers);
    for (const share of shares) {
      const affected = Math.ceil(containers * share);
      tops.slice(0, affected).forEach((tree, i) => writeFileSync(join(tree, 'etc/motd'), `Debian of container ${i}\n`));
      process.stderr.write(`fleet: ${containers} containers, ${affected} overlapping\n`);
      rows.push({
        containers,
        affected,
        alone: alone.seconds,
        ...(await update(store, script, { containers, affected })),
      });
    }
    rmSync(directory, { recursive: true });
  }
  return rows;
}

/** Applies the update and takes it back. @throws where not exactly the containers were run that overlap */
async function update(store, script, expected) {
  const applied = await store.lamina('--json', 'update', 'apply', 'debian', script, '--name', 'service');
  const { effects } = JSON.parse(applied.stdout).update;
  const skipped = effects.filter(({ outcome }) => outcome === 'skipped').length;
  if (expected !== undefined && skipped !== expected.containers - expected.affected)
    throw new Error(`${skipped} of ${expected.containers} containers were skipped, ${expected.affected} overlap`);
  const back = await store.lamina('rollback', 'service');
  return { seconds: applied.seconds, peak: applied.peak, skipped, rollback: back.seconds };
}

/**
 * Containers whose storages hold 5 to 50 files each of their own. The files are made in the trees of the writable tops,
 * which nobody has mounted: such a tree is an ordinary overlay upper.
 * @param places directories of the files
 * @returns the trees
 */
export async function makeContainers({ Store, create, fromText }, directory, count, places = everywhere) {
  const store = new Store(fromText(directory));
  const trees = [];
  for (let i = 0; i < count; i++) {
    const { storage } = await create(store, `c${i}`, 'debian');
    const tree = join(directory, 'nodes', storage, 'tree');
    for (let file = 0; file < 5 + ((i * 7919) % 46); file++) {
      const where = join(tree, places[file % places.length]);
      mkdirSync(where, { recursive: true });
      writeFileSync(join(where, `file-${file}`), `content ${file} of container ${i}\n`.repeat(1 + (file % 40)));
    }
    for (const name of ['etc', 'var/lib', 'srv', 'home'])
      if (existsSync(join(tree, name))) chmodSync(join(tree, name), 0o755);
    mkdirSync(join(tree, 'etc'), { recursive: true });
    trees.push(tree);
  }
  return trees;
}

export const section = {
  name: 'fleet',
  title: 'A fleet',
  measure,
  text(rows) {
    const head = [
      'containers',
      'overlapping',
      'servicing',
      'the base alone',
      'a container that is skipped',
      'a container that is run',
      'memory',
      'rollback',
    ];
    const lines = rows.map((row) => {
      const skipping = skippingOf(rows, row.containers);
      const running = row.seconds - row.alone - (row.containers - row.affected) * skipping;
      return [
        row.containers,
        row.affected,
        duration(row.seconds),
        duration(row.alone),
        duration(skipping),
        row.affected === 0 ? '' : running > 0 ? duration(running / row.affected) : '–',
        size(row.peak),
        duration(row.rollback),
      ];
    });
    return `One base, the Debian root; each container's storage holds 5 to 50 files. The update edits one file and adds another; *overlapping* containers have that file of their own and
are run, the others are skipped. All figures are of whole commands, the publishing included; memory is the orchestrator's peak. \`the base alone\` is the same update before there were
containers: one run. \`a container that is skipped\` is what each adds to it where none overlaps, \`a container that is run\` what each overlapping one adds, as many side by side as
there are processors; –: less than the figures of whole commands differ from run to run.

${table(head, lines)}

${targets(aims(rows))}`;
  },
};
