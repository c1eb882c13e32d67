import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, isRoot, run } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');

/** A driver that modes bind, as without root; the kernel judges the callers, so the tests may be root. */
describe.skipIf(!isRoot)('a driver without CAP_DAC_OVERRIDE', () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);
  const inMount = (...parts: string[]) => at('mnt', ...parts);

  beforeEach(async () => {
    place = mkdtempSync(join(tmpdir(), 'lamina-modes-'));
    for (const name of ['lower', 'upper', 'work', 'mnt', 'lower/closed']) mkdirSync(at(name));
    writeFileSync(at('lower/closed/file'), 'of the lower');
    writeFileSync(at('lower/read-only'), 'of the lower');
    chmodSync(at('lower/closed'), 0o555);
    chmodSync(at('lower/read-only'), 0o444);
    const layers = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')},userxattr`;
    const bound = ['--bounding-set', '-dac_override,-dac_read_search', laminafs, '-o', layers, at('mnt')];
    expect(await run('setpriv', bound)).toMatchObject({ code: 0, stderr: '' });
  });
  afterEach(async () => {
    await run('umount', ['--lazy', at('mnt')]);
    rmSync(place, { recursive: true, force: true });
  });
  const mode = (path: string) => statSync(path).mode & 0o7777;

  it('writes a file that was made read-only, through the descriptor that made it', () => {
    for (const bits of [0o444, 0o400, 0o000, 0o200]) {
      const name = `made-${bits.toString(8)}`;
      const file = openSync(inMount(name), 'wx', bits);
      writeSync(file, 'content');
      fsyncSync(file);
      closeSync(file);
      expect(mode(inMount(name))).toBe(bits);
      expect(mode(at('upper', name))).toBe(bits);
      expect(readFileSync(at('upper', name), 'utf8')).toBe('content');
      expect(readFileSync(inMount(name), 'utf8')).toBe('content');
    }
  });

  it('goes on with a descriptor whose file is closed to its owner later', () => {
    const file = openSync(inMount('file'), 'wx+', 0o644);
    writeSync(file, 'one');
    chmodSync(inMount('file'), 0);
    writeSync(file, 'two');
    closeSync(file);
    expect(mode(inMount('file'))).toBe(0);
    expect(readFileSync(at('upper/file'), 'utf8')).toBe('onetwo');
  });

  it('makes and removes directories that are closed to their owner', async () => {
    for (const bits of [0o555, 0o000]) {
      mkdirSync(inMount('made'), bits);
      expect(mode(inMount('made'))).toBe(bits);
      expect(await run('rmdir', [inMount('made')])).toMatchObject({ code: 0 });
    }
    expect(await run('rm', ['-rf', inMount('closed')])).toMatchObject({ code: 0, stderr: '' });
    mkdirSync(inMount('closed'), 0o555);
    expect(mode(inMount('closed'))).toBe(0o555);
    expect(readdirSync(inMount('closed'))).toEqual([]);
  });

  it('copies up what is read-only, and into directories that are', async () => {
    writeFileSync(inMount('closed/file'), 'changed');
    expect(mode(inMount('closed'))).toBe(0o555);
    expect(mode(at('upper/closed'))).toBe(0o555);
    expect(readFileSync(at('upper/closed/file'), 'utf8')).toBe('changed');
    expect(await run('touch', [inMount('read-only')])).toMatchObject({ code: 0 });
    expect(mode(inMount('read-only'))).toBe(0o444);
    expect(readFileSync(inMount('read-only'), 'utf8')).toBe('of the lower');
  });
});
