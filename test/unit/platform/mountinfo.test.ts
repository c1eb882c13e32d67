import { describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { mountAt, parseMountInfo, readMountInfo } from '../../../src/platform/mountinfo.js';

const sample = [
  '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
  '40 36 0:52 / /with\\040space\\134and\\012line rw - fuse.laminafs web rw,user_id=0',
  '41 36 0:53 / /mnt2 ro shared:7 master:2 - overlay overlay rw,lowerdir=/a\\054b',
  '',
].join('\n');

describe('mount table', () => {
  it('is read field by field', () => {
    const [first, second, third] = parseMountInfo(sample);
    expect(first).toEqual({
      id: 36,
      parent: 35,
      major: 98,
      minor: 0,
      root: '/mnt1',
      mountPoint: '/mnt2',
      options: ['rw', 'noatime'],
      propagation: ['master:1'],
      type: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    });
    expect(second).toMatchObject({ mountPoint: '/with space\\and\nline', propagation: [], type: 'fuse.laminafs' });
    expect(third?.propagation).toEqual(['shared:7', 'master:2']);
  });

  it('finds the topmost mount of a path', () => {
    const mounts = parseMountInfo(sample);
    expect(mountAt(mounts, fromText('/mnt2'))?.id).toBe(41);
    expect(mountAt(mounts, fromText('/mnt'))).toBeUndefined();
  });

  it('is refused where it is not one', () => {
    expect(() => parseMountInfo('36 35 98:0 /mnt1 /mnt2 rw\n')).toThrow(/unexpected line/);
  });

  it('is that of this machine', async () => {
    expect(mountAt(await readMountInfo(), fromText('/proc'))?.type).toBe('proc');
  });
});
