// What an update costs where a flush of the disk takes time, as it does on all disks but those that have no cache, or
// say that they flushed when they did not.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { pause, run } from './shell.mjs';
import { median, spread } from './statistics.mjs';
import { duration, number, percent, rounds, table, targets } from './text.mjs';
import { base, flat, kernel, updateRows } from './servicing.mjs';

/** Of each flush. A commit of ext4's journal needs two: before and after its last block. */
const flushMicroseconds = 2000;

/** An ext4 on a disk in memory whose flushes take time. Gone with the mount namespace, whatever happens. */
function slowDisk(checkout) {
  const place = mkdtempSync('/dev/shm/lamina-bench-');
  const program = join(place, 'slow-disk');
  const image = join(place, 'image');
  const files = join(place, 'files');
  const scratch = join(place, 'scratch');
  mkdirSync(files);
  mkdirSync(scratch);
  const flags = run('pkg-config', ['--cflags', '--libs', 'fuse3']).trim().split(/\s+/);
  run('cc', ['-O2', '-Wall', '-o', program, join(checkout, 'scripts/bench.d/slow-disk.c'), ...flags]);
  run('truncate', ['--size', '16GiB', image]);
  run('mkfs.ext4', ['-q', '-F', '-N', '1500000', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image]);
  run(program, [image, String(flushMicroseconds), files]);
  const device = run('losetup', ['--find', '--show', '--direct-io=on', join(files, 'disk')]).trim();
  run('mount', ['-o', 'nodiscard', device, scratch]);
  run('losetup', ['--detach', device]); // once it is unmounted
  return {
    scratch,
    end: () => {
      endMount(scratch);
      endMount(files);
      rmSync(place, { recursive: true });
    },
  };
}

/** What used it last may still be on its way out. */
function endMount(directory) {
  for (let left = 50; left > 1; left--) {
    try {
      run('umount', [directory]);
      return;
    } catch {
      pause(200);
    }
  }
  run('umount', [directory]);
}

const rows = [flat, kernel, base];

async function measure({ checkout, laminafs, options }) {
  const { scratch, end } = slowDisk(checkout);
  try {
    const { seconds } = await updateRows({ checkout, scratch, laminafs, options }, rows);
    return { seconds, flushMicroseconds };
  } finally {
    end();
  }
}

const ratio = (values, others) => median(values.map((value, round) => value / others[round]));

export const section = {
  name: 'slow-disk',
  title: 'An update on a disk whose flushes take time',
  measure,
  text({ seconds, flushMicroseconds: flush }) {
    const lines = Object.entries(seconds).map(([name, values]) => [
      name === flat ? 'a flat copy' : name,
      `${duration(median(values))} ${percent(spread(values))}`,
      number(ratio(values, seconds[flat])),
    ]);
    const aim = [
      '`update apply`, the base alone / the flat copy',
      ratio(seconds[base], seconds[flat]),
      1,
      (value) => number(value),
    ];
    return `The Debian upgrade of \`images/debian\` on an ext4 in memory, on a loop device whose flushes take ${duration(flush / 1e6)}; ${rounds(seconds[flat].length)} with all rows in turn.
\`dpkg\` syncs what it writes; an update that dies is discarded, so nothing is synced before it is published.

${table(['where', 'time', '/ flat copy'], lines)}

${targets([aim])}`;
  },
};
