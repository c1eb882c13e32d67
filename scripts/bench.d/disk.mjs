// The disk that is measured on.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pause, run } from './shell.mjs';

/**
 * An ext4 as a machine of users has it, with a journal, on a loop device without a cache of its own. The file system
 * that is there may have none, as those of many virtual machines: it then searches past every inode that was removed in
 * the last minutes (`recently_deleted` of fs/ext4/ialloc.c), and each driver pays for what the one before left. Gone
 * with the mount namespace, whatever happens.
 */
function ownDisk() {
  const place = mkdtempSync(join(tmpdir(), 'lamina-bench-'));
  const image = join(place, 'image');
  run('fallocate', ['--length', '24GiB', image]);
  run('mkfs.ext4', ['-q', '-F', '-N', '2500000', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image]);
  const device = run('losetup', ['--find', '--show', '--direct-io=on', image]).trim();
  const scratch = join(place, 'disk');
  mkdirSync(scratch);
  run('mount', [device, scratch]);
  run('losetup', ['--detach', device]); // once it is unmounted
  rmSync(image);
  return {
    scratch,
    disk: 'an ext4 of its own, with a journal',
    end: () => {
      unmount(scratch);
      rmSync(place, { recursive: true });
    },
  };
}

/** The last driver may still be on its way out: its files are closed some time after its mount is gone. */
function unmount(scratch) {
  for (let left = 50; left > 1; left--) {
    try {
      run('umount', [scratch]);
      return;
    } catch {
      pause(200);
    }
  }
  run('umount', [scratch]);
}

/** LAMINA_BENCH_DIR, or else a disk of our own. */
export function scratchDisk() {
  const given = process.env.LAMINA_BENCH_DIR;
  if (given === undefined) return ownDisk();
  const scratch = mkdtempSync(join(given, 'lamina-bench-'));
  const disk = `the ${run('stat', ['--file-system', '--format=%T', given]).trim()} that was there`;
  return { scratch, disk, end: () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }) };
}
