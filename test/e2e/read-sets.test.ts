import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programs } from '../model/programs.js';
import { shellOf } from '../model/shell.js';
import { World, buildTiny, checkout, mayMount, run, runFlat } from '../support/lamina.js';

/** Random procedures to try; by hand more, from another seed: LAMINA_READ_SETS, LAMINA_RANDOM_SEED. */
const count = Number(process.env['LAMINA_READ_SETS'] ?? 12);
const seed = Number(process.env['LAMINA_RANDOM_SEED'] ?? 5);
const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');

/**
 * A rule that protects nothing that exists: OPEN is answered for every file of such a mount, and for none of another.
 */
const answersOpen = [{ match: '/no/such/name', decision: 'protect' }];

interface ReadSet {
  readonly seen: Set<string>;
  readonly listed: Set<string>;
  readonly whole: Set<string>;
  readonly opened: Set<string>;
}

function readSetOf(file: string): ReadSet {
  const set: ReadSet = { seen: new Set(), listed: new Set(), whole: new Set(), opened: new Set() };
  for (const line of readFileSync(file, 'utf8').trimEnd().split('\n').slice(1)) {
    const { path, kinds } = JSON.parse(line) as { path: string; kinds: string[] };
    if (kinds.some((kind) => kind !== 'listed')) set.seen.add(path);
    for (const kind of ['listed', 'whole', 'opened'] as const) if (kinds.includes(kind)) set[kind].add(path);
  }
  return set;
}

/** What is below a path that was read as a whole is read with it. */
function beside({ whole }: ReadSet, paths: Set<string>): string[] {
  const within = (path: string) => [...whole].some((each) => path === each || path.startsWith(`${each}/`));
  return [...paths].filter((path) => !within(path)).sort();
}

describe.skipIf(!mayMount)('a read set of a mount whose OPEN is not answered', () => {
  let world: World;
  let lower: string;

  beforeAll(() => {
    world = new World('read-sets');
    lower = buildTiny(world.path('tiny'));
    const furniture = [
      'mkdir -p /w/a/b /w/b /w/d /w/empty; echo 1 >/w/a/a; echo 2 >/w/a/b/c; echo 3 >/w/b/a; echo 4 >/w/c',
      'ln /w/a/a /w/d/d; ln -s /w/a /w/d/b; : >/w/nothing; head -c 300000 /dev/zero | tr "\\0" x >/w/large',
    ].join('\n');
    runFlat(lower, world.script('furniture', furniture));
  });
  afterAll(() => {
    world.remove();
  });

  async function recorded(
    name: string,
    rules: object[],
    work: (root: string) => Promise<void> | void,
  ): Promise<ReadSet> {
    const place = world.path(name);
    mkdirSync(place);
    const at = (part: string) => join(place, part);
    for (const part of ['upper', 'work', 'mnt']) mkdirSync(at(part));
    writeFileSync(at('rules'), JSON.stringify({ version: 1, rules }));
    const files = `filter=${at('rules')},journal=${at('journal')},readset=${at('reads')}`;
    const layers = `lowerdir=${lower},upperdir=${at('upper')},workdir=${at('work')},whiteout_files=off`;
    expect(await run(laminafs, ['-o', `${layers},mode=servicing,volatile,${files}`, at('mnt')])).toMatchObject({
      code: 0,
    });
    try {
      await work(at('mnt'));
    } finally {
      expect(await run('umount', [at('mnt')])).toMatchObject({ code: 0 });
    }
    await expect.poll(() => run('test', ['-e', at('reads')]), { timeout: 10_000 }).toMatchObject({ code: 0 });
    return readSetOf(at('reads'));
  }

  async function compare(name: string, work: (root: string) => Promise<void> | void): Promise<ReadSet[]> {
    const asked = await recorded(`${name}-asked`, answersOpen, work);
    const unasked = await recorded(`${name}-unasked`, [], work);
    expect(unasked.whole).toEqual(asked.whole);
    expect(beside(unasked, unasked.seen)).toEqual(beside(asked, asked.seen));
    expect(beside(unasked, unasked.listed)).toEqual(beside(asked, asked.listed));
    return [asked, unasked];
  }

  it(
    'is the one of a mount whose OPEN is answered, after random procedures',
    { timeout: 60_000 + count * 20_000 },
    async () => {
      const arbitrary = fc.oneof(programs(['a', 'b', 'c', 'd'], 6), programs(['a', 'b'], 6));
      const procedures = fc.sample(arbitrary, { seed, numRuns: count });
      for (const [step, program] of procedures.entries()) {
        const script = world.script(`procedure-${String(step)}`, shellOf(program, '/w'));
        await compare(`random-${String(step)}`, (root) => {
          runFlat(root, script);
        });
      }
    },
  );

  const dropCaches = 'echo 2 >/proc/sys/vm/drop_caches';
  const ways: Record<string, string> = {
    'from the beginning': 'cat w/large w/c',
    'from the middle': 'dd if=w/large bs=4096 skip=20 count=1',
    'from the end': 'tail -c 1 w/large',
    'after the caches were dropped': `cat w/large; ${dropCaches}; cat w/large; ls w/a; ${dropCaches}; ls w/a`,
    'to copy it in the kernel': 'cp --reflink=never w/large w/copy; cat w/copy',
    'to run it': 'bin/busybox true',
    'that is empty': 'cat w/nothing; ls w/empty',
    'that is truncated or appended to at its opening': ': >w/large; echo more >>w/c; cat w/large w/c',
    'that was written by the procedure itself': 'echo new >w/new; cat w/new; ls w; mv w/new w/newer; cat w/newer',
    'by another of its names': 'ln w/c w/link; cat w/link; mv w/link w/b/link; cat w/b/link',
    'by a listing with attributes and one without': 'ls -f w/a; ls -l w/b; rm -r w/a',
  };
  for (const [name, script] of Object.entries(ways)) {
    it(`has what is read ${name}`, { timeout: 60_000 }, async () => {
      const [asked, unasked] = await compare(name.replaceAll(' ', '-'), async (root) => {
        const done = await run('sh', ['-ec', `cd ${root}; { ${script}; } >/dev/null 2>&1; cd /`]);
        expect(done).toMatchObject({ code: 0 });
      });
      // Content that comes from a lower is named as such; what the procedure wrote may be in the kernel's cache.
      const fromLower = (path: string) => readable(join(lower, path));
      const named = (set: ReadSet | undefined) => [...(set?.opened ?? [])].filter(fromLower).sort();
      for (const path of named(unasked)) expect(named(asked)).toContain(path);
    });
  }

  function readable(path: string): boolean {
    try {
      return readFileSync(path).length > 0;
    } catch {
      return false;
    }
  }
});
