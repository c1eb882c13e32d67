import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { errnoOf } from '../../../src/platform/unmount.js';

it.each([
  ['fusermount3: failed to unmount /a/b: Device or resource busy', constants.errno.EBUSY],
  ['fusermount3: failed to unmount /a/b: Invalid argument', constants.errno.EINVAL],
  ['fusermount3: entry for /a/b not found in /etc/mtab', constants.errno.EINVAL],
  ['fusermount3: failed to unmount /a: Device or resource busy/b: Permission denied', undefined],
  ['fusermount3: user has no write access to mountpoint /a/b', undefined],
  ['', undefined],
])('what the helper reports without root is the error of umount2: %s', (message, errno) => {
  expect(errnoOf(message)).toBe(errno);
});
