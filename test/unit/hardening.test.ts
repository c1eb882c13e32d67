import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What all native programs are built with (native/cmake/LaminaHardening.cmake), as it shows in what was built. */
const dist = join(import.meta.dirname, '../../dist');
const readelf = (...words: string[]) =>
  execFileSync('readelf', ['-W', ...words], { encoding: 'utf8', maxBuffer: 1 << 28 });
const programs = readdirSync(dist).filter((name) => /^(laminafs|lamina-[a-z]+|addon\.node)$/.test(name));
const isStatic = (file: string) => !readelf('-l', file).includes('DYNAMIC');

describe('the native programs', () => {
  it('are all there', () => {
    expect(programs).toEqual(expect.arrayContaining(['addon.node', 'laminafs', 'lamina-sandbox']));
  });

  it.each(programs)('%s has no writable code, an unexecutable stack and read-only relocations', (name) => {
    const segments = readelf('-l', join(dist, name)).split('\n');
    expect(segments.some((line) => /^ *GNU_RELRO/.test(line))).toBe(true);
    expect(segments.find((line) => /^ *GNU_STACK/.test(line))).toMatch(/ RW /);
    expect(segments.filter((line) => /^ *LOAD/.test(line) && line.includes(' RWE '))).toEqual([]);
  });

  it.each(programs)('%s is loaded at any address', (name) => {
    expect(readelf('-h', join(dist, name))).toMatch(/Type: +DYN/);
  });

  it.each(programs.filter((name) => !isStatic(join(dist, name))))('%s is bound at its start, and checks', (name) => {
    const file = join(dist, name);
    expect(readelf('-d', file)).toMatch(/BIND_NOW|FLAGS_1.*NOW/);
    const symbols = readelf('--dyn-syms', file);
    expect(symbols).toContain('__stack_chk_fail');
    expect(symbols).toMatch(/_chk[@\s]/);
  });

  it.runIf(process.arch === 'x64').each(programs)('%s says that branches go to their places only', (name) => {
    expect(readelf('-n', join(dist, name))).toMatch(/IBT.*SHSTK/);
  });
});
