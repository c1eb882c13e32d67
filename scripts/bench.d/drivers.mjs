// The drivers under comparison, each mounting lowers below a fresh upper.
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { pause, run } from './shell.mjs';

/**
 * @typedef {object} Place
 * @property {string} lower      the root below all; lowers are joined by ':', newest first
 * @property {string} index      the indexes of the lowers, joined so
 * @property {string} directory  scratch: upper, work and the mount point are made in it
 * @property {string} laminafs   the driver binary
 * @property {string} [cwd]      where relative lowers and indexes begin
 */

/**
 * @typedef {object} Mount
 * @property {string} root
 * @property {() => void} end   unmounts; its process, if it has one, has ended then
 * @property {string} [control] the driver's control socket
 */

const directories = (place, name = '') => {
  const [upper, work, mountpoint] = ['upper', 'work', 'mount'].map((part) => join(place.directory, part + name));
  for (const path of [upper, work, mountpoint]) {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
  }
  return { upper, work, mountpoint };
};

const waitForWork = (work) => run('flock', ['--timeout', '30', work, 'true']);

/** What `lamina update apply` mounts for the run on the base (src/capture). A supervised driver uses no io_uring. */
function recording(directory, ring, name = '') {
  const [rules, journal, reads] = ['rules', 'journal', 'reads'].map((part) => join(directory, part + name));
  for (const file of [journal, reads]) rmSync(file, { force: true });
  writeFileSync(rules, '{"version":1,"rules":[]}');
  return `,whiteout_files=off,volatile,supervise=${ring === 'on' ? 'off' : 'on'},filter=${rules},journal=${journal},readset=${reads}`;
}

/** @param indexed whether it gets the index of the lowers, as `lamina` gives it; container engines have none */
const laminafs = (mode, ring = 'off', indexed = true) => ({
  laminafs: true,
  mount(place, name) {
    const { upper, work, mountpoint } = directories(place, name);
    const control = join(place.directory, `control${name ?? ''}`);
    const index = indexed ? `,lowerindex=${place.index}` : '';
    const options = `lowerdir=${place.lower}${index},upperdir=${upper},workdir=${work},mode=${mode},control=${control},io_uring=${ring}${mode === 'servicing' ? recording(place.directory, ring, name) : ''}`;
    run(place.laminafs, ['-o', options, mountpoint], { cwd: place.cwd, stdio: ['ignore', 'ignore', 'pipe'] });
    return {
      root: mountpoint,
      control,
      end: () => {
        run('umount', [mountpoint]);
        waitForWork(work);
      },
    };
  },
});

const cli = join(dirname(fileURLToPath(import.meta.url)), '../../dist/lamina.js');

/** A store with the lower as its base, made once in a directory. */
function storeIn({ directory, lower }) {
  const store = join(directory, 'store-of-lower');
  const lamina = (...words) => run(process.execPath, [cli, '--store', store, ...words]);
  if (!existsSync(store)) {
    lamina('init');
    lamina('base', 'import', 'lower', lower);
  }
  return lamina;
}

/** A container of a store of which a single lower is the base; `mount` mounts it by the command, as a person does. */
function containerIn(place, engine, name = '') {
  const { mountpoint } = directories(place, name);
  const lamina = storeIn(place);
  const container = `${engine}${name}`;
  lamina('create', container, '--base', 'lower');
  return {
    mount() {
      lamina('mount', '--engine', engine, '--suid', '--dev', container, mountpoint);
      return { root: mountpoint, end: () => void lamina('umount', container) };
    },
    done: () => void lamina('remove', container),
  };
}

const throughLamina = (engine) => ({
  mount(place, name) {
    const container = containerIn(place, engine, name);
    const mount = container.mount();
    return { ...mount, end: () => (mount.end(), container.done()) };
  },
  /** Of which only mounting is timed where that is what is measured. */
  ready: (place) => containerIn(place, engine),
});

const overlayOptions = ({ lower }, { upper, work }) => `lowerdir=${lower},upperdir=${upper},workdir=${work}`;

const overlayfs = (more = '') => ({
  mount(place, name) {
    const at = directories(place, name);
    const options = overlayOptions(place, at) + more;
    run('mount', ['-t', 'overlay', 'overlay', '-o', options, at.mountpoint], { cwd: place.cwd });
    return { root: at.mountpoint, end: () => void run('umount', [at.mountpoint]) };
  },
});

const fuseOverlayfs = {
  mount(place, name) {
    const at = directories(place, name);
    run('fuse-overlayfs', ['-o', `dev,suid,${overlayOptions(place, at)}`, at.mountpoint], {
      cwd: place.cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return { root: at.mountpoint, end: () => void run('umount', [at.mountpoint]) };
  },
};

const copyOf = (place) => {
  const root = join(place.directory, 'native');
  rmSync(root, { recursive: true, force: true });
  run('cp', ['-a', '--reflink=auto', place.lower, root]);
  run('sync', []);
  return root;
};

const native = {
  mount(place) {
    const root = copyOf(place);
    return { root, end: () => rmSync(root, { recursive: true, force: true }) };
  },
  /** What can be mounted of a file system that is there: a bind mount of it. */
  cycle(place) {
    const { mountpoint } = directories(place);
    run('mount', ['--bind', place.lower, mountpoint]);
    return { root: mountpoint, end: () => void run('umount', [mountpoint]) };
  },
};

/** The package brings the libfuse 2 that it is linked with, under another name. */
function libraryPath(place) {
  const packaged = dirname(createRequire(import.meta.url).resolve('fuse-native/package.json'));
  const directory = join(place.directory, 'libfuse2');
  mkdirSync(directory, { recursive: true });
  const link = join(directory, 'libfuse.so.2');
  if (!existsSync(link)) symlinkSync(join(packaged, 'prebuilds', `linux-${process.arch}`, 'libfuse.so'), link);
  return directory;
}

const passthroughOn = (place, source) => {
  const { mountpoint } = directories(place);
  const program = join(dirname(fileURLToPath(import.meta.url)), 'fuse-native.mjs');
  const said = join(place.directory, 'fuse-native.out');
  const output = openSync(said, 'w');
  const child = spawn(process.execPath, [program, source, mountpoint], {
    env: { ...process.env, LD_LIBRARY_PATH: libraryPath(place), UV_THREADPOOL_SIZE: '8' },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  for (let waited = 0; !readFileSync(said, 'utf8').startsWith('mounted'); waited += 20) {
    if (waited > 20_000 || !existsSync(`/proc/${child.pid}`)) {
      child.kill();
      throw new Error(`fuse-native did not mount: ${readFileSync(said, 'utf8').trim().split('\n').at(-1)}`);
    }
    pause(20);
  }
  return {
    root: mountpoint,
    end: () => {
      run('umount', [mountpoint]);
      child.kill();
    },
  };
};

const fuseNative = {
  /** Why a workload may fail here, and no other driver's failure is forgiven. */
  limits: 'mounts nodev and nosuid, and does not learn who calls: no container root',
  mount(place) {
    const source = copyOf(place);
    const mount = passthroughOn(place, source);
    return { ...mount, end: () => (mount.end(), rmSync(source, { recursive: true, force: true })) };
  },
  cycle: (place) => passthroughOn(place, place.lower),
};

/** The kernel's overlayfs with what laminafs does by default. */
export const tuned = 'overlayfs, redirect_dir and metacopy';
export const servicingByRing = 'laminafs, servicing, io_uring';

export const drivers = {
  native,
  overlayfs: overlayfs(),
  [tuned]: overlayfs(',redirect_dir=on,metacopy=on'),
  'fuse-overlayfs': fuseOverlayfs,
  'fuse-native': fuseNative,
  'laminafs, stateless': laminafs('stateless'),
  'laminafs, no index': laminafs('stateless', 'off', false),
  'laminafs, servicing': laminafs('servicing'),
  'laminafs, passthrough': laminafs('passthrough'),
  'laminafs, io_uring': laminafs('stateless', 'on'),
  [servicingByRing]: laminafs('servicing', 'on'),
  'lamina mount, fuse': throughLamina('fuse'),
  'lamina mount, kernel': throughLamina('kernel'),
};

/** Those of the table of drivers. */
export const compared = Object.keys(drivers).filter((name) => ![tuned, servicingByRing].includes(name));

/** The drivers among `names` that mount here; of the others standard error says why not. */
export function available(place, names) {
  return names.filter((name) => {
    if (drivers[name] === undefined) throw new Error(`no driver '${name}': ${Object.keys(drivers).join(', ')}`);
    try {
      (drivers[name].cycle ?? drivers[name].mount)(place).end();
      return true;
    } catch (error) {
      process.stderr.write(`bench: left out ${name}: ${error.message.replace(/^.* ended with \w+: /s, '').trim()}\n`);
      return false;
    }
  });
}

/**
 * The process that serves the mount of a laminafs or fuse-overlayfs: the one whose command line names the mount point.
 */
export function processOf(root) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
      return /(laminafs|fuse-overlayfs)$/.test(words[0]) && words.includes(root);
    } catch (error) {
      if (error.code === 'ENOENT' || error.code === 'ESRCH') return false;
      throw error;
    }
  });
  if (found.length === 0) throw new Error(`no process serves ${root}`);
  return found.map(Number);
}

/** The kernel overlayfs's own defaults, which decide what the ratios mean. */
export const kernelDefaults = () =>
  Object.fromEntries(
    ['metacopy', 'redirect_dir', 'index']
      .map((name) => [name, `/sys/module/overlay/parameters/${name}`])
      .filter(([, path]) => existsSync(path))
      .map(([name, path]) => [name, readFileSync(path, 'utf8').trim()]),
  );
