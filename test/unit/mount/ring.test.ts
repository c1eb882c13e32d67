import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestOptions, ringState } from '../../../src/mount/ring.js';

describe('the state of FUSE over io_uring', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lamina-ring-'));
  });
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['Y\n', 'on'],
    ['N\n', 'off'],
  ])('is what the kernel says: %j', (content, state) => {
    const setting = join(directory, 'enable_uring');
    writeFileSync(setting, content);
    expect(ringState(setting)).toBe(state);
  });

  it('is absent where the kernel has no such parameter', () => {
    expect(ringState(join(directory, 'none'))).toBe('absent');
  });
});

describe('the requests of a mount', () => {
  it.each([
    ['servicing', true, 'on', ['io_uring=auto']],
    ['servicing', true, 'off', ['supervise=on']],
    ['servicing', true, 'absent', ['supervise=on']],
    // An update by hand: its work must survive the death of a driver.
    ['servicing', false, 'on', ['supervise=on']],
    ['stateless', true, 'on', ['supervise=on']],
    ['stateless', false, 'on', ['supervise=on']],
    ['passthrough', false, 'on', []],
  ] as const)('mode=%s, volatile %s, io_uring %s', (mode, isVolatile, ring, options) => {
    expect(requestOptions({ mode, isVolatile }, ring)).toEqual(options);
  });
});
