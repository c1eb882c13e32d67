// What the workloads work on: the Debian root with its index, a tar of small files, the upgrade's packages.
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './shell.mjs';

/** The Debian root as a tar, and the update package for it; built where they are not. */
export function debianImages(checkout) {
  run(join(checkout, 'images/debian/build'), [], { stdio: ['ignore', 'ignore', 'inherit'] });
  const images = join(checkout, 'build/images');
  return { root: join(images, 'debian.tar'), upgrade: join(images, 'debian-upgrade') };
}

/** Imports the Debian root into a store of its own, whose base layer serves as the lower. */
export function debianLower(checkout, scratch) {
  const images = debianImages(checkout);
  const store = join(scratch, 'store');
  const lamina = (...args) => run(join(checkout, 'scripts/lamina'), ['--store', store, ...args]);
  lamina('init');
  lamina('base', 'import', 'debian', images.root);
  const [layer] = readdirSync(join(store, 'nodes'));
  cpSync(images.upgrade, join(scratch, 'upgrade'), { recursive: true });
  return { lower: join(store, 'nodes', layer, 'tree'), index: join(store, 'nodes', layer, 'index') };
}

/** 10,000 files of 100 bytes to 4 KiB in 100 directories, always the same. */
export function smallFiles(scratch) {
  const tree = join(scratch, 'small');
  for (let directory = 0; directory < 100; directory++) {
    const path = join(tree, `d${directory}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 100; file++) {
      const size = 100 + ((directory * 7919 + file * 104729) % 3997);
      writeFileSync(join(path, `f${file}.txt`), `${directory}/${file} `.repeat(size).slice(0, size));
    }
  }
  run('tar', ['-C', tree, '-cf', join(scratch, 'small.tar'), '.']);
  run('rm', ['-rf', tree]);
}
