// Two mounts on one lower: is what one has read in memory once, or again for the other?
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { available, drivers } from './drivers.mjs';
import { functionsOf } from './orchestrator.mjs';
import { dropCaches, run, timed } from './shell.mjs';
import { duration, size, table } from './text.mjs';

const names = ['overlayfs', 'fuse-overlayfs', 'laminafs, stateless', 'laminafs, passthrough'];
const megabytes = 512;

const cached = () => Number(/^Cached:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))[1]) * 1024;

function measureDriver(driver, place) {
  const first = drivers[driver].mount(place, '-1');
  try {
    const second = drivers[driver].mount(place, '-2');
    try {
      dropCaches('all');
      const before = cached();
      const read = [first, second].map((mount) => ({
        seconds: timed('cat data > /dev/null', mount.root),
        cached: cached() - before,
      }));
      return { driver, first: read[0], second: read[1] };
    } finally {
      second.end();
    }
  } finally {
    first.end();
  }
}

export const section = {
  name: 'page-cache',
  title: 'The page cache of two mounts',
  async measure({ checkout, scratch, laminafs }) {
    const { scanTree, encodeIndex, fromText } = await functionsOf(checkout);
    const lower = join(scratch, 'shared');
    mkdirSync(lower);
    run('dd', ['if=/dev/zero', `of=${join(lower, 'data')}`, 'bs=1M', `count=${megabytes}`, 'conv=fsync'], {
      stdio: 'ignore',
    });
    const index = join(scratch, 'shared.index');
    writeFileSync(index, await encodeIndex(await scanTree(fromText(lower), { hash: false })));
    const place = { lower, index, directory: scratch, laminafs };
    return available(place, names).map((driver) => measureDriver(driver, place));
  },
  text(rows) {
    const lines = rows.map(({ driver, first, second }) => [
      driver,
      size(first.cached),
      size(second.cached),
      duration(first.seconds),
      duration(second.seconds),
    ]);
    return `A file of ${megabytes} MiB read whole through one mount, then through another on the same lower: growth of the machine's page cache since the caches were dropped, and time.

${table(['driver', 'after the first', 'after the second', 'first read', 'second read'], lines)}`;
  },
};
