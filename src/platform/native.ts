export { SystemError } from './addon.js';
export type { Path, Target } from './addon.js';

/*
 * The system calls that Node lacks. Paths are byte paths or Buffers; none follows a symlink in its last component. A
 * number instead of a path is an open descriptor. Errors are SystemErrors. The forms named …Sync block; the others run
 * on libuv's pool.
 */
export * from './native/data.js';
export * from './native/entries.js';
export * from './native/files.js';
export * from './native/mounts.js';
export * from './native/new-mounts.js';
export * from './native/this-process.js';
export * from './native/write-files.js';
export * from './native/xattrs.js';
