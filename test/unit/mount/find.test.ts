import { describe, expect, it } from 'vitest';
import { isOfThisUser } from '../../../src/mount/find.js';
import { parseMountInfo } from '../../../src/platform/mountinfo.js';

const user = process.getuid?.() ?? 0;
const entry = (type: string, options: string) =>
  parseMountInfo(`36 35 0:52 / /mnt rw - ${type} lamina:0123456789ab:web ${options}\n`)[0]!;

describe('a mount that is called like one of ours', () => {
  it('counts if this user has mounted it', () => {
    expect(isOfThisUser(entry('fuse.laminafs', `rw,user_id=${user},group_id=0,allow_other`))).toBe(true);
    expect(isOfThisUser(entry('overlay', 'rw,lowerdir=/a'))).toBe(true);
  });

  it.each(['fuse.laminafs', 'fuse', 'fuseblk', 'fuse.lamina'])('does not count if another has, by %s', (type) => {
    for (const id of [user + 1, `${user}1`]) {
      expect(isOfThisUser(entry(type, `rw,user_id=${id},group_id=0`))).toBe(false);
      // A file system may add options of its own to its source, but not to these.
      expect(isOfThisUser(entry(type, `rw,fsname=user_id=${user},user_id=${id}`))).toBe(false);
    }
  });
});
