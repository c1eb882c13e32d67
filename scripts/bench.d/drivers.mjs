// The drivers under comparison, each mounting one lower below a fresh upper.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './shell.mjs';

/**
 * @typedef {object} Place
 * @property {string} lower      the Debian root
 * @property {string} index      its index
 * @property {string} directory  scratch: upper, work and the mount point are made in it
 * @property {string} laminafs   the driver binary
 */

const directories = (place) => {
  const [upper, work, mountpoint] = ['upper', 'work', 'mount'].map((name) => join(place.directory, name));
  for (const path of [upper, work, mountpoint]) {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
  }
  return { upper, work, mountpoint };
};

/** A mount that umount(8) ends, and whose process, if it has one, has ended when `end` returns. */
const mounted = (mountpoint) => ({
  root: mountpoint,
  end: () => {
    run('umount', [mountpoint]);
  },
});

const waitForWork = (work) => run('flock', ['--timeout', '30', work, 'true']);

const laminafs = (mode) => ({
  mount(place) {
    const { upper, work, mountpoint } = directories(place);
    const options = `lowerdir=${place.lower},lowerindex=${place.index},upperdir=${upper},workdir=${work},mode=${mode}`;
    run(place.laminafs, ['-o', options, mountpoint], { stdio: ['ignore', 'ignore', 'pipe'] });
    return {
      root: mountpoint,
      end: () => {
        run('umount', [mountpoint]);
        waitForWork(work);
      },
    };
  },
});

export const drivers = {
  native: {
    mount(place) {
      const root = join(place.directory, 'native');
      rmSync(root, { recursive: true, force: true });
      run('cp', ['-a', '--reflink=auto', place.lower, root]);
      run('sync', []);
      return { root, end: () => rmSync(root, { recursive: true, force: true }) };
    },
  },
  overlayfs: {
    mount(place) {
      const { upper, work, mountpoint } = directories(place);
      run('mount', [
        '-t',
        'overlay',
        'overlay',
        '-o',
        `lowerdir=${place.lower},upperdir=${upper},workdir=${work}`,
        mountpoint,
      ]);
      return mounted(mountpoint);
    },
  },
  'fuse-overlayfs': {
    mount(place) {
      const { upper, work, mountpoint } = directories(place);
      run('fuse-overlayfs', ['-o', `dev,suid,lowerdir=${place.lower},upperdir=${upper},workdir=${work}`, mountpoint], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      return mounted(mountpoint);
    },
  },
  laminafs: laminafs('stateless'),
  'laminafs, servicing': laminafs('servicing'),
};

/** The kernel overlayfs's own defaults, which decide what the ratios mean. */
export const kernelDefaults = () =>
  Object.fromEntries(
    ['metacopy', 'redirect_dir', 'index']
      .map((name) => [name, `/sys/module/overlay/parameters/${name}`])
      .filter(([, path]) => existsSync(path))
      .map(([name, path]) => [name, readFileSync(path, 'utf8').trim()]),
  );
