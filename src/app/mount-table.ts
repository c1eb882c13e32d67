import { readFileSync, realpathSync } from 'node:fs';
import { display, fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf, notFound, toLaminaError } from '../base/errors.js';
import { containerOf } from '../manifest/index.js';
import { findMounts, isLost } from '../mount/index.js';
import type { Store } from '../store/index.js';
import { mount } from './containers.js';
import type { MountData } from './containers.js';
import { fstabLines, mountWords } from './mount-options.js';
import type { FstabLine, MountWords } from './mount-options.js';
import { locateStore } from './store-location.js';

export interface MountAllData {
  readonly mounted: readonly MountData[];
  /** They were mounted there before. */
  readonly already: readonly string[];
  readonly failed: readonly {
    readonly container: string;
    readonly directory: string;
    readonly line: number;
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
    /** By `nofail`. */
    readonly mayFail: boolean;
  }[];
}

/** @throws LaminaError notFound */
export async function checkContainer(store: Store, container: string): Promise<void> {
  containerOf(await store.read(), container);
}

/** Undefined: it is mounted there already, which mount(8) may not know. */
export async function mountFromTable(store: Store, words: MountWords): Promise<MountData | undefined> {
  const { container, directory, options } = words;
  const found = (await findMounts(store)).find((each) => each.container === container);
  if (found !== undefined && found.mountpoint === realOf(directory) && !(await isLost(found.mountpoint)))
    return undefined;
  return mount(store, container, directory, options);
}

function realOf(directory: BytePath): BytePath {
  try {
    return fromBuffer(realpathSync.native(toBuffer(directory), 'buffer'));
  } catch (error) {
    if (isSystemError(error)) return directory;
    throw error;
  }
}

/**
 * Mounts the containers of this store that a fstab names, but for those that are `noauto`. One that fails does not keep
 * the others from being mounted.
 * @throws LaminaError notFound, failed: the file cannot be read
 */
export async function mountAll(store: Store, fstab: BytePath): Promise<MountAllData> {
  const mounted: MountData[] = [];
  const already: string[] = [];
  const faults: MountAllData['failed'][number][] = [];
  for (const line of fstabLines(readFstab(fstab))) {
    let mayFail = line.options.split(',').includes('nofail');
    try {
      const words = mountWords(line.container, line.directory, line.options);
      ({ mayFail } = words);
      if (words.byHandOnly || !isOf(store, words)) continue;
      const data = await mountFromTable(store, words);
      if (data === undefined) already.push(line.container);
      else mounted.push(data);
    } catch (error) {
      faults.push(faultOf(line, error, mayFail));
    }
  }
  return { mounted, already, failed: faults };
}

function faultOf({ container, directory, number }: FstabLine, thrown: unknown, mayFail: boolean) {
  const { code, message, hint = null } = toLaminaError(thrown);
  return { container, directory, line: number, code, message, hint, mayFail };
}

const isOf = (store: Store, words: MountWords): boolean => {
  const [here, there] = [store.paths.root, locateStore(words.store, () => undefined)].map(realOf);
  return here === there;
};

function readFstab(path: BytePath): BytePath {
  try {
    return fromBuffer(readFileSync(toBuffer(path)));
  } catch (error) {
    if (isSystemError(error, 'ENOENT'))
      throw notFound(`there is no ${display(path)}`, { code: 'NO_FSTAB', hint: 'name another with --fstab' });
    throw failed(`cannot read ${display(path)}: ${messageOf(error)}`, { cause: error });
  }
}
