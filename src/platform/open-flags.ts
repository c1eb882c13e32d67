import { constants } from 'node:fs';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** O_PATH of open(2), which Node has no name for: to hold an entry or to come below it; nothing is read. */
export const onlyPath = 0o10000000;

/**
 * How entries of trees that others may have made are opened. A symlink is never followed, and a FIFO or a device never
 * waits for its other end.
 */
export const openFlags = {
  read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  directory: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
  /** A new file: never one that is there. */
  create: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  createToRead: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
  /** The entry itself, to hold it or to come below it; nothing is read. */
  path: onlyPath | O_NOFOLLOW,
  /** The same, of a directory alone. */
  directoryPath: onlyPath | O_DIRECTORY | O_NOFOLLOW,
} as const;
