import { describe, expect, it } from 'vitest';
import { replacedIn } from '../../../src/containers/container-processes.js';

const maps = [
  '55d0c0a00000-55d0c0a01000 r-xp 00000000 00:3b 17 /usr/bin/app (deleted)',
  '7f0000000000-7f0000001000 r--p 00000000 00:3b 18                         /usr/lib/libc.so.6',
  '7f0000002000-7f0000003000 r--p 00000000 00:3b 19                         /usr/lib/a b\\012c (deleted)',
  '7f0000004000-7f0000005000 rw-s 00000000 00:01 20                         /memfd:x (deleted)',
  '7f0000006000-7f0000007000 rw-p 00000000 00:00 0                          [heap]',
  '55d0c0a02000-55d0c0a03000 rw-p 00000000 00:3b 17 /usr/bin/app (deleted)',
  'no line of maps (deleted)',
].join('\n');

describe('what a process runs that was replaced', () => {
  it('are mapped files of its root without a name, each once', () => {
    expect(replacedIn(maps, '0:59')).toEqual(['/usr/bin/app', '/usr/lib/a b\nc']);
    expect(replacedIn(maps, '0:1')).toEqual(['/memfd:x']);
    expect(replacedIn(maps, '8:1')).toEqual([]);
    expect(replacedIn('', '0:59')).toEqual([]);
  });
});
