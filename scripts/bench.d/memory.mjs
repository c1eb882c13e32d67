// What a driver's process holds: after mounting, after a walk of many entries, after the kernel has dropped its caches.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { available, drivers, processOf } from './drivers.mjs';
import { functionsOf } from './orchestrator.mjs';
import { dropCaches, pause, timed } from './shell.mjs';
import { size, table } from './text.mjs';

const names = ['fuse-overlayfs', 'laminafs, stateless', 'laminafs, servicing', 'laminafs, passthrough'];
const filesIn = 1000;

async function makeTree({ checkout, scratch, options }) {
  const { scanTree, encodeIndex, fromText } = await functionsOf(checkout);
  const lower = join(scratch, 'many');
  for (let left = options.entries, directory = 0; left > 0; left -= filesIn, directory++) {
    const path = join(lower, `d${directory}`);
    mkdirSync(path, { recursive: true });
    for (let file = 1; file < Math.min(filesIn, left); file++) writeFileSync(join(path, `file-${file}`), '');
  }
  const index = join(scratch, 'many.index');
  writeFileSync(index, await encodeIndex(await scanTree(fromText(lower), { hash: true })));
  return { lower, index };
}

/** Sums over the processes of a mount: anonymous memory (proc_pid_smaps(5)), and descriptors. */
function holdings(root) {
  const sum = { bytes: 0, descriptors: 0 };
  for (const pid of processOf(root)) {
    sum.bytes += Number(/^Anonymous:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]) * 1024;
    sum.descriptors += readdirSync(`/proc/${pid}/fd`).length;
  }
  return sum;
}

function measureDriver(driver, place) {
  const mount = drivers[driver].mount(place);
  try {
    timed('stat .', mount.root);
    const mounted = holdings(mount.root);
    timed("find . -printf '%i\\n'", mount.root);
    const walked = holdings(mount.root);
    dropCaches('dentries');
    // Forgets come in their own time.
    pause(2000);
    return { driver, mounted, walked, dropped: holdings(mount.root) };
  } finally {
    mount.end();
  }
}

export const section = {
  name: 'memory',
  title: 'Memory',
  async measure(context) {
    const place = { ...(await makeTree(context)), directory: context.scratch, laminafs: context.laminafs };
    const rows = available(place, names).map((driver) => measureDriver(driver, place));
    return { entries: context.options.entries, rows };
  },
  text({ entries, rows }) {
    const head = [
      'driver',
      'after mounting',
      'after the walk',
      'an entry',
      'caches dropped',
      'descriptors: mounted',
      'walked',
      'dropped',
    ];
    const lines = rows.map(({ driver, mounted, walked, dropped }) => [
      driver,
      size(mounted.bytes),
      size(walked.bytes),
      `${Math.round((walked.bytes - mounted.bytes) / entries)} B`,
      size(dropped.bytes),
      ...[mounted, walked, dropped].map(({ descriptors }) => descriptors),
    ]);
    return `Anonymous memory of all processes of a mount, ${entries.toLocaleString('en')} entries walked with \`find -printf %i\`. Targets: 8 MiB after mounting, 300 bytes an entry, given back when the kernel
forgets. The pages of the index are the kernel's cache of a file, and not counted.

${table(head, lines)}`;
  },
};
