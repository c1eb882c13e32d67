import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { fromText } from '../../src/base/bytes.js';
import { mountStack, unmountStack } from '../../src/mount/index.js';
import type { EngineName } from '../../src/mount/index.js';

/** A stack of directories to mount: lowers topmost first. */
export interface Stack {
  readonly lowers: readonly string[];
  /** The lowers' index files, for laminafs; without them it reads the directories. */
  readonly indexes?: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly mountpoint: string;
}

export interface Driver {
  readonly name: string;
  mount(stack: Stack): void | Promise<void>;
  unmount(stack: Stack): void | Promise<void>;
  /** As a crash of the driver: it gets no notice. Then the mount is gone. */
  kill?(stack: Stack): void;
}

const options = (stack: Stack, more: string) =>
  `lowerdir=${stack.lowers.join(':')},upperdir=${stack.upper},workdir=${stack.work},${more}`;

/**
 * index=on: the kernel then keeps hard links of a lower together at copy-up, as laminafs does; metacopy=on: layers that
 * it makes have metacopies.
 */
export const kernel: Driver = {
  name: 'kernel',
  mount(stack) {
    const more = 'redirect_dir=on,index=on,metacopy=on,xino=on';
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options(stack, more), stack.mountpoint]);
  },
  unmount: (stack) => {
    execFileSync('umount', [stack.mountpoint]);
  },
};

/** Without its index, as it mounts what others wrote too: following redirects and metacopies. */
export const plainKernel: Driver = {
  ...kernel,
  name: 'kernel, index=off',
  mount(stack) {
    const more = 'redirect_dir=on,index=off,metacopy=on,xino=on';
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options(stack, more), stack.mountpoint]);
  },
};

const binary = process.env['LAMINA_LAMINAFS'] ?? resolve(import.meta.dirname, '../../dist/laminafs');

export const lamina = (more = 'mode=stateless'): Driver => ({
  name: `laminafs, ${more}`,
  mount(stack) {
    const all = stack.indexes ? `lowerindex=${stack.indexes.join(':')},${more}` : more;
    execFileSync(binary, ['-o', options(stack, all), stack.mountpoint], { stdio: ['ignore', 'ignore', 'inherit'] });
  },
  unmount(stack) {
    unmountLamina(stack);
  },
  kill(stack) {
    process.kill(processOf(stack.mountpoint), 'SIGKILL');
    unmountLamina(stack);
  },
});

function unmountLamina(stack: Stack): void {
  execFileSync('umount', [stack.mountpoint]);
  execFileSync('flock', ['--timeout', '30', stack.work, 'true']);
}

/**
 * Both engines of Lamina as `lamina mount` takes them, with all their options: each mount by the other than the one
 * before.
 */
export function bothEngines(first: EngineName): Driver {
  const second = first === 'fuse' ? 'kernel' : 'fuse';
  let mounts = 0;
  const upperOf = ({ upper, work }: Stack) => ({ tree: fromText(upper), work: fromText(work) });
  return {
    name: `the engines ${first} and ${second} in turn`,
    async mount(stack) {
      const { lowers, indexes, mountpoint } = stack;
      await mountStack({
        engine: mounts++ % 2 === 0 ? first : second,
        lowers: lowers.map((tree, i) => ({ tree: fromText(tree), index: indexes && fromText(indexes[i] ?? '') })),
        upper: upperOf(stack),
        mountpoint: fromText(mountpoint),
        source: 'differential',
      });
    },
    unmount: async (stack) => unmountStack(fromText(stack.mountpoint), upperOf(stack)),
  };
}

/** The process that `lamina().mount` has left behind for a mount. */
function processOf(mountpoint: string): number {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0');
      if (words[0] === binary && words.includes(mountpoint)) return Number(name);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  throw new Error(`no process of ${binary} serves ${mountpoint}`);
}

/** The process has ended meanwhile. */
const isGone = (error: unknown) =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');

/** Fresh directories for an upper, its work and the mount point below `base`. */
export function makeStack(base: string, lowers: readonly string[], indexes?: readonly string[]): Stack {
  const [upper, work, mountpoint] = ['upper', 'work', 'mount'].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [upper, work, mountpoint]) mkdirSync(path, { recursive: true });
  return { lowers, ...(indexes && { indexes }), upper, work, mountpoint };
}
