import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lchownSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import type { BytePath } from '../../src/base/byte-path.js';

import {
  getXattrSync,
  mknodSync,
  removeXattrSync,
  renameSync,
  setTimesSync,
  setXattrSync,
} from '../../src/platform/native.js';
import type { RenameMode } from '../../src/platform/native.js';
import { Random } from './random.js';

/** One call on a mount, in terms of paths below its root. */
export type Operation = NameOperation | ContentOperation | AttributeOperation;

type NameOperation =
  | { kind: 'create' | 'mkdir' | 'fifo'; path: string; mode: number }
  | { kind: 'unlink' | 'rmdir'; path: string }
  | { kind: 'symlink'; path: string; target: string }
  | { kind: 'link'; path: string; to: string }
  | { kind: 'rename'; path: string; to: string; mode: RenameMode };

type ContentOperation =
  | { kind: 'read' | 'list' | 'readlink' | 'sync'; path: string }
  | { kind: 'append' | 'overwrite'; path: string; text: string };

type AttributeOperation =
  | { kind: 'removexattr' | 'getxattr'; path: string }
  | { kind: 'truncate'; path: string; size: number }
  | { kind: 'chmod'; path: string; mode: number }
  | { kind: 'chown'; path: string; uid: number; gid: number }
  | { kind: 'utimes'; path: string; seconds: number }
  | { kind: 'setxattr'; path: string; value: string };

const names = ['a', 'b', 'c', 'd', 'e'];

function randomPath(random: Random): string {
  const depth = 1 + random.below(3);
  return Array.from({ length: depth }, () => random.pick(names)).join('/');
}

const modes = [0o644, 0o600, 0o755, 0o700, 0o4755, 0o2750, 0o1777];
const text = (random: Random) => 'x'.repeat(1 + random.below(40)) + String(random.below(1000));

const generators: ((random: Random) => Operation)[] = [
  (r) => ({ kind: 'create', path: randomPath(r), mode: r.pick(modes) }),
  (r) => ({ kind: 'create', path: randomPath(r), mode: r.pick(modes) }),
  (r) => ({ kind: 'mkdir', path: randomPath(r), mode: r.pick(modes) }),
  (r) => ({ kind: 'mkdir', path: randomPath(r), mode: r.pick(modes) }),
  (r) => ({ kind: 'mkdir', path: randomPath(r), mode: r.pick(modes) }),
  (r) => ({ kind: 'fifo', path: randomPath(r), mode: 0o640 }),
  (r) => ({ kind: r.pick(['unlink', 'rmdir'] as const), path: randomPath(r) }),
  (r) => ({ kind: r.pick(['read', 'list', 'readlink', 'getxattr'] as const), path: randomPath(r) }),
  (r) => ({ kind: r.pick(['append', 'overwrite'] as const), path: randomPath(r), text: text(r) }),
  (r) => ({ kind: 'sync', path: randomPath(r) }),
  (r) => ({ kind: 'truncate', path: randomPath(r), size: r.below(9000) }),
  (r) => ({ kind: 'symlink', path: randomPath(r), target: r.pick([...names, '../a', '/nowhere']) }),
  (r) => ({ kind: 'link', path: randomPath(r), to: randomPath(r) }),
  (r) => ({ kind: 'rename', path: randomPath(r), to: randomPath(r), mode: 'replace' }),
  (r) => ({
    kind: 'rename',
    path: randomPath(r),
    to: randomPath(r),
    mode: r.pick(['noreplace', 'exchange', 'replace'] as const),
  }),
  (r) => ({ kind: 'chmod', path: randomPath(r), mode: r.pick(modes) }),
  (r) => ({ kind: 'chown', path: randomPath(r), uid: r.below(3), gid: r.below(3) }),
  (r) => ({ kind: 'utimes', path: randomPath(r), seconds: 1 + r.below(1000) }),
  (r) => ({ kind: 'setxattr', path: randomPath(r), value: text(r) }),
  (r) => ({ kind: 'removexattr', path: randomPath(r) }),
];

export const randomOperation = (random: Random): Operation => random.pick(generators)(random);

/** `count` operations that the seed decides. */
export function randomOperations(seed: number, count: number): Operation[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => randomOperation(random));
}

const attribute = 'trusted.differential';

function writeAt(path: string, flags: number, content: string, mode = 0o644): void {
  const descriptor = openSync(path, flags, mode);
  try {
    writeSync(descriptor, content);
  } finally {
    closeSync(descriptor);
  }
}

function act(root: string, operation: Operation): string {
  const path = join(root, operation.path) as BytePath;
  switch (operation.kind) {
    case 'create':
      writeAt(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, operation.path, operation.mode);
      return '';
    case 'mkdir':
      mkdirSync(path, { mode: operation.mode });
      return '';
    case 'fifo':
      mknodSync(path, constants.S_IFIFO | operation.mode);
      return '';
    case 'symlink':
      symlinkSync(operation.target, path);
      return '';
    case 'link':
      linkSync(path, join(root, operation.to));
      return '';
    case 'rename':
      renameSync(path, join(root, operation.to) as BytePath, operation.mode);
      return '';
    case 'unlink':
      unlinkSync(path);
      return '';
    case 'rmdir':
      rmdirSync(path);
      return '';
    case 'read':
    case 'list':
    case 'readlink':
    case 'sync':
    case 'append':
    case 'overwrite':
      return actOnContent(path, operation);
    default:
      return actOnAttributes(path, operation);
  }
}

function actOnContent(path: BytePath, operation: ContentOperation): string {
  switch (operation.kind) {
    // O_NONBLOCK: a FIFO answers at once instead of waiting for its other end.
    case 'append':
      writeAt(
        path,
        constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOFOLLOW,
        operation.text,
      );
      return '';
    case 'overwrite':
      writeAt(
        path,
        constants.O_WRONLY | constants.O_TRUNC | constants.O_NONBLOCK | constants.O_NOFOLLOW,
        operation.text,
      );
      return '';
    case 'read': {
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
      try {
        return readFileSync(descriptor, 'latin1');
      } finally {
        closeSync(descriptor);
      }
    }
    case 'sync': {
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      return '';
    }
    case 'list':
      return readdirSync(path).sort().join(' ');
    case 'readlink':
      return readlinkSync(path);
  }
}

function actOnAttributes(path: BytePath, operation: AttributeOperation): string {
  switch (operation.kind) {
    case 'truncate':
      truncateSync(path, operation.size);
      return '';
    case 'chmod':
      chmodSync(path, operation.mode);
      return '';
    case 'chown':
      lchownSync(path, operation.uid, operation.gid);
      return '';
    case 'utimes':
      setTimesSync(path, { mtimeNs: BigInt(operation.seconds) * 1_000_000_000n });
      return '';
    case 'setxattr':
      setXattrSync(path, attribute, Buffer.from(operation.value));
      return '';
    case 'removexattr':
      removeXattrSync(path, attribute);
      return '';
    case 'getxattr':
      return getXattrSync(path, attribute)?.toString() ?? 'none';
  }
}

/** Performs the operation; gives what it answered, or the name of its errno. */
export function perform(root: string, operation: Operation): string {
  try {
    return `ok ${act(root, operation)}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
    throw error;
  }
}
