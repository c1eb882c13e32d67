import { closeSync, fstatSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { display, fromBuffer, fromText, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf, refused } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { exposureAt, exposureOnTheWay, exposureText } from '../platform/exposure.js';
import { openFlags } from '../platform/open-flags.js';

/** A configuration is a few lines. Bytes. */
const largestConfig = 1 << 20;
/** Files that a configuration includes, those in turn included among them. LXC's own include two or three. */
const mostIncluded = 64;

/**
 * What the configuration of a container of LXC includes (lxc.container.conf(5), `lxc.include`): files, and of
 * directories those whose names end in .conf. None may be another user's: it could name any directory of the host.
 */
export class LxcIncludes {
  #files = 0;

  /** @param called the container, for people */
  constructor(readonly called: string) {}

  /** @throws LaminaError refused: another user may change it, or they are too many; failed: it cannot be read */
  readonly texts = (name: string): readonly string[] => {
    const path = fromText(name);
    if (!path.startsWith('/'))
      throw failed(`the configuration of ${this.called} includes '${display(path)}', which is not an absolute path`, {
        code: 'READ_FAILED',
        hint: 'write the whole path in lxc.include',
      });
    requireOwn(path, this.called);
    return this.#filesOf(path).map((file) => this.#text(file));
  };

  #filesOf(path: BytePath): BytePath[] {
    const stats = statSync(toBuffer(path), { throwIfNoEntry: false });
    if (stats === undefined) {
      warn(`the configuration of ${this.called} includes ${display(path)}, which does not exist`);
      return [];
    }
    if (!stats.isDirectory()) return [path];
    const names = readdirSync(toBuffer(path), 'buffer').map((each) => fromBuffer(each));
    return names
      .filter((each) => each.endsWith('.conf'))
      .sort()
      .map((each) => join(path, each));
  }

  #text(file: BytePath): string {
    this.#files += 1;
    if (this.#files > mostIncluded)
      throw refused(`the configuration of ${this.called} includes more than ${String(mostIncluded)} files`, {
        code: 'ROOT_KIND',
        hint: 'give the directory of its root, or an archive of it',
      });
    requireOwn(file, this.called);
    const text = configText(file);
    if (text === undefined) throw failed(`${display(file)} is gone`, { code: 'READ_FAILED', hint: 'try again' });
    return text;
  }
}

/** It names any directory of the host: to another user's, root would lend its rights. @throws LaminaError refused */
export function requireOwn(config: BytePath, called: string): void {
  const exposed = exposureOnTheWay(config) ?? exposureAt(config);
  if (exposed === undefined) return;
  throw refused(`the configuration of ${called} is not trusted: ${exposureText(exposed)}`, {
    code: 'FOREIGN_CONFIG',
    hint: 'give the directory of its root, or an archive of it',
  });
}

/** Undefined: there is no such file. @throws LaminaError failed: it cannot be read, or is no configuration */
export function configText(path: BytePath): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(path), openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw failed(`cannot read ${display(path)}: ${messageOf(error)}`, { code: 'READ_FAILED', cause: error });
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > largestConfig)
      throw failed(`${display(path)} is not a configuration of LXC`, { code: 'READ_FAILED' });
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}
