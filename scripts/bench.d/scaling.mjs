// The same work by 1, 2 and 4 processes at once, each its own.
import { available, drivers } from './drivers.mjs';
import { debianLower } from './input.mjs';
import { timed } from './shell.mjs';
import { median } from './statistics.mjs';
import { number, table } from './text.mjs';

const names = ['native', 'overlayfs', 'fuse-overlayfs', 'laminafs, stateless'];
const workers = [1, 2, 4];
/** `$i` is the number of the process. */
const works = {
  'lookup and getattr (find, warm)': "for n in 1 2 3 4; do find . -xdev -printf '%i %s\\n' > /dev/null; done",
  'open and read (cat, warm)':
    'for n in 1 2; do find usr/share usr/lib/python3 -xdev -type f -print0 | xargs -0 cat > /dev/null; done',
  'create, write and remove': 'mkdir own$i; for n in $(seq 1000); do echo $n > own$i/f$n; done; rm -r own$i',
};

const parallel = (work, count) =>
  `for i in ${Array.from({ length: count }, (_, i) => i).join(' ')}; do ( ${work} ) & pids="$pids $!"; done; for pid in $pids; do wait $pid; done`;

export const section = {
  name: 'scaling',
  title: 'Scaling',
  measure({ checkout, scratch, options, laminafs }) {
    const place = { ...debianLower(checkout, scratch), directory: scratch, laminafs };
    const rows = [];
    for (const driver of available(place, names)) {
      const mount = drivers[driver].mount(place);
      try {
        for (const [work, script] of Object.entries(works)) {
          timed(parallel(script, 1), mount.root);
          const seconds = {};
          for (const count of workers) {
            const figures = Array.from({ length: options.rounds }, () => timed(parallel(script, count), mount.root));
            seconds[count] = median(figures);
          }
          process.stderr.write(`scaling: ${driver}, ${work}\n`);
          rows.push({ driver, work, seconds });
        }
      } finally {
        mount.end();
      }
    }
    return rows;
  },
  text(rows) {
    const head = ['work', 'driver', ...workers.map((count) => `${count} at once`)];
    const lines = rows.map(({ work, driver, seconds }) => [
      work,
      driver,
      ...workers.map((count) => `${number((count * seconds[1]) / seconds[count])} (${number(seconds[count])} s)`),
    ]);
    return `Work done in a second as a multiple of what one process does, and seconds. More than the number of processors cannot be had; a FUSE driver needs some of them for itself.

${table(head, lines)}`;
  },
};
