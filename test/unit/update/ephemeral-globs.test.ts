import { describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { ephemeralGlobs } from '../../../src/update/ephemeral-globs.js';
import type { Differing } from '../../../src/update/ephemeral-globs.js';

const of = (how: Differing['how'], ...paths: string[]) => paths.map((path) => ({ path: fromText(path), how }));
const globs = (differing: Differing[], ...agreed: string[]) => ephemeralGlobs(differing, agreed.map(fromText));

describe('globs for what differs between two runs', () => {
  it('name what both runs have as it is, with its signs escaped', () => {
    expect(globs(of('differs', 'etc/stamp', 'etc/a[1]*'))).toEqual(['/etc/a\\[1\\]\\*', '/etc/stamp']);
  });

  it('bring random names together, not by letters that are alike by chance', () => {
    const first = of('only-first', 'var/x/tmp.aB3', 'var/x/tmp.zz1', 'var/x/tmp.aB3/below', 'var/x/7f3.log', 'top-1a');
    const second = of(
      'only-second',
      'var/x/tmp.aX9',
      'var/x/tmp.Qp0',
      'var/x/tmp.aX9/below',
      'var/x/9e1.log',
      'top-2b',
    );
    expect(globs([...first, ...second])).toEqual(['/top-*', '/var/x/*.log', '/var/x/tmp.*']);
    expect(globs([...of('only-first', 'srv/tmpab12'), ...of('only-second', 'srv/tmpcd34')])).toEqual(['/srv/tmp*']);
  });

  it('never name what the runs agree on, and are not made up where names have nothing in common', () => {
    const random = [...of('only-first', 'd/tmp.a'), ...of('only-second', 'd/tmp.b')];
    expect(globs(random, 'd/tmp.conf')).toEqual([]);
    expect(globs(of('differs', 'd'), 'd/kept')).toEqual([]);
    expect(globs([...of('only-first', 'd/abc'), ...of('only-second', 'd/xyz', 'e/abd')])).toEqual([]);
    expect(globs(of('differs', ''))).toEqual([]);
  });

  it('are found in time where each run has made very many names', { timeout: 20_000 }, () => {
    const names = (run: string) => Array.from({ length: 20_000 }, (_, i) => `var/x/tmp.${run}${i}`);
    expect(globs([...of('only-first', ...names('a')), ...of('only-second', ...names('b'))])).toEqual(['/var/x/tmp.*']);
  });
});
