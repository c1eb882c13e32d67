import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { globFault, globMatcher } from '../../../src/platform/globs.js';

const matches = (glob: string, path: string) => globMatcher([glob])(path as BytePath);

/** What a glob of `*`, `?`, `**` and plain letters means, said in the plainest way. */
function plainly(pattern: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return true;
  if (first === '**') return plainly(rest, path) || (path.length > 0 && plainly(pattern, path.slice(1)));
  const [name, ...below] = path;
  return name !== undefined && component(first, name) && plainly(rest, below);
}

function component(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  if (pattern.startsWith('*'))
    return component(pattern.slice(1), name) || (name !== '' && component(pattern, name.slice(1)));
  return name !== '' && (pattern[0] === '?' || pattern[0] === name[0]) && component(pattern.slice(1), name.slice(1));
}

describe('globs', () => {
  it.each([
    ['/tmp', 'tmp/a/b', true],
    ['/tmp', 'tmpx', false],
    ['/var/{cache,lib/*}/x', 'var/lib/apt/x', true],
    ['/var/{cache,lib/*}/x', 'var/lib/x', false],
    ['/a/[!b-d]', 'a/e', true],
    ['/a/[!b-d]', 'a/c', false],
    ['/a/\\*', 'a/*', true],
    ['/a/\\*', 'a/b', false],
    ['/**/x', 'x', true],
    ['/?', '\xc3\xa4', true],
    ['/**', '', false],
  ])('%s, %s', (glob, path, expected) => {
    expect(matches(glob, path)).toBe(expected);
  });

  it('mean what they plainly mean', () => {
    const letters = fc.constantFrom('a', 'b');
    const part = fc.array(fc.oneof(letters, fc.constantFrom('*', '?')), { minLength: 1, maxLength: 5 });
    const pattern = fc.array(
      fc.oneof(
        fc.constant('**'),
        part.map((each) => each.join('').replace(/\*+/g, '*')),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    const name = fc.array(letters, { minLength: 1, maxLength: 5 }).map((each) => each.join(''));
    fc.assert(
      fc.property(pattern, fc.array(name, { minLength: 1, maxLength: 4 }), (glob, path) => {
        expect(matches(`/${glob.join('/')}`, path.join('/'))).toBe(plainly(glob, path));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['many stars', `/${'*a'.repeat(1000)}b`, 'a'.repeat(255)],
    ['many depths', `/${'**/a/'.repeat(31)}b`, 'a/'.repeat(2000)],
    ['many choices', `/${'{a,a}'.repeat(12)}`, 'a'.repeat(255)],
    ['many sets', `/${'*[a-z]'.repeat(600)}!`, 'a'.repeat(255)],
  ])('take no time over %s', (_, glob, path) => {
    const begun = performance.now();
    expect(matches(glob, path)).toBe(false);
    expect(performance.now() - begun).toBeLessThan(1000);
  });

  it.each<[string, RegExp | string]>([
    ['/{a', /without a }/],
    ['/[a', /without a \]/],
    ['x', /begin with/],
    [`/${'{a,b}'.repeat(13)}`, limitNamed(limits.globAlternatives)],
    [`/${'{a}'.repeat(100_000)}`, limitNamed(limits.globLength)],
    [`/${'{a,b}'.repeat(12)}${'?'.repeat(4000)}`, limitNamed(limits.globExpansion)],
    [`/${'a/'.repeat(70)}`, limitNamed(limits.globComponents)],
    [`/${'x'.repeat(5000)}`, limitNamed(limits.globLength)],
  ])('are reported to be wrong: %.40s', (glob, fault) => {
    expect(globFault([glob])).toMatch(fault);
    expect(() => matches(glob, 'x')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('have a limit together', () => {
    expect(globFault(Array.from({ length: 5 }, () => `/${'{a,b}'.repeat(12)}`))).toMatch(
      limitNamed(limits.allGlobAlternatives),
    );
    expect(globFault(Array.from({ length: 5 }, () => `/{a,b}${'{a,b}'.repeat(8)}${'?'.repeat(450)}`))).toMatch(
      limitNamed(limits.allGlobBytes),
    );
    expect(globFault(Array.from({ length: 250 }, (_, i) => `/${'x'.repeat(4000)}${String(i)}`))).toBeUndefined();
  });
});
