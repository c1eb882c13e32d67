// A large file of the lower of which one byte is changed.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { available, drivers } from './drivers.mjs';
import { functionsOf } from './orchestrator.mjs';
import { dropCaches, run, timed } from './shell.mjs';
import { median } from './statistics.mjs';
import { duration, table } from './text.mjs';

const names = ['overlayfs', 'fuse-overlayfs', 'laminafs, stateless'];
const change = (file) => `printf x | dd of=${file} bs=1 seek=4096 conv=notrunc`;

export const section = {
  name: 'copy-up',
  title: 'Copy-up of a large file',
  async measure({ checkout, scratch, options, laminafs }) {
    const { scanTree, encodeIndex, fromText } = await functionsOf(checkout);
    const lower = join(scratch, 'large');
    mkdirSync(lower);
    run('dd', ['if=/dev/zero', `of=${join(lower, 'full')}`, 'bs=1M', `count=${options.size}`, 'conv=fsync'], {
      stdio: 'ignore',
    });
    run('truncate', ['-s', `${options.size}M`, join(lower, 'holes')]);
    const index = join(scratch, 'large.index');
    writeFileSync(index, await encodeIndex(await scanTree(fromText(lower), { hash: false })));
    const place = { lower, index, directory: scratch, laminafs };
    const rows = [];
    const copy = [];
    for (const driver of available(place, names)) {
      const figures = { full: [], holes: [] };
      for (let round = 0; round < options.rounds; round++) {
        const mount = drivers[driver].mount(place);
        try {
          for (const file of ['full', 'holes']) {
            dropCaches('all');
            figures[file].push(timed(change(file), mount.root));
          }
        } finally {
          mount.end();
        }
      }
      rows.push({ driver, full: median(figures.full), holes: median(figures.holes) });
    }
    for (let round = 0; round < options.rounds; round++) {
      dropCaches('all');
      copy.push(timed('cp --reflink=auto full ../copied; rm ../copied', lower));
    }
    return { megabytes: options.size, copy: median(copy), rows };
  },
  text({ megabytes, copy, rows }) {
    const lines = rows.map(({ driver, full, holes }) => [driver, duration(full), duration(holes)]);
    return `One byte written into a file of ${megabytes} MiB of the lower, caches dropped before: full of data, and one hole. \`cp\` of the full one takes ${duration(copy)} on this file system.

${table(['driver', 'full', 'one hole'], lines)}`;
  },
};
