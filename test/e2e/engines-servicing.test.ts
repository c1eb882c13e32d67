import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programs } from '../model/programs.js';
import { shellOf } from '../model/shell.js';
import { World, buildTiny, copyTree, differences, isRoot, runFlat } from '../support/lamina.js';

/** Random updates beside those that are written down; by hand more, from another seed. */
const updates = Number(process.env['LAMINA_RANDOM_UPDATES'] ?? 4);
const seed = Number(process.env['LAMINA_RANDOM_SEED'] ?? 11);

interface Applied {
  readonly update: { readonly effects: readonly { readonly container: string; readonly outcome: string }[] } | null;
}

/** What runs by the kernel could capture otherwise than by the driver, each on what the ones before it left. */
const doings: Readonly<Record<string, string>> = {
  'one name of a file is written': 'echo more >>/w/links/a',
  'one is written and removed': 'echo again >>/w/links/a; rm /w/links/a',
  'one gets another mode': 'chmod 600 /w/links/b',
  'one is renamed': 'mv /w/links/b /w/links/z; echo z >>/w/links/z',
  'one is linked once more': 'ln /w/links/c /w/links/e; touch -d 2001-02-03 /w/links/c',
  'their directory is renamed, and one is written': 'mv /w/links /w/moved; echo moved >>/w/moved/d',
  'a directory is renamed twice': 'mv /w/tree /w/tree2; mv /w/tree2 /w/sub/tree; echo x >/w/sub/tree/deep/new',
  'a directory is replaced': 'rm -r /w/sub/tree; mkdir /w/sub/tree; echo y >/w/sub/tree/y',
  'a linked symlink gets a new time': 'touch -h -d 2002-03-04 /w/sym/a',
  'a file becomes a directory, and the other way': 'rm /w/plain; mkdir /w/plain; rm -r /w/dir; echo f >/w/dir',
  'nodes come and go': 'mkfifo /w/fifo; rm /w/fifo; mkfifo /w/fifo2; ln /w/fifo2 /w/fifo3',
  'attributes of a lower change': 'chmod 4755 /w/sub/setuid; chown 7:8 /w/sub/owner; touch /w/sub/touched',
};

describe.skipIf(!isRoot)('an update that runs in containers by the kernel', () => {
  let world: World;
  const containers = ['one', 'two'];
  const flat = (container: string) => world.path('flat', container);

  beforeAll(async () => {
    world = new World('engines');
    world.makeDirectory('flat');
    const root = buildTiny(world.path('tiny'));
    const furniture = [
      'mkdir -p /w/links /w/tree/deep /w/sub /w/sym /w/dir /w/a/b /w/b /w/d /w/own',
      'echo 1 >/w/links/a; for n in b c d; do ln /w/links/a /w/links/$n; done',
      'echo 1 >/w/tree/deep/f; echo 1 >/w/dir/f; echo 1 >/w/plain',
      'ln -s /w /w/sym/a; ln /w/sym/a /w/sym/b 2>/dev/null || true',
      'for n in setuid owner touched; do echo 1 >/w/sub/$n; done',
      'echo 1 >/w/a/a; echo 2 >/w/a/b/c; echo 3 >/w/b/a; echo 4 >/w/c; ln /w/a/a /w/d/d',
    ];
    runFlat(root, world.script('furniture', furniture.join('\n')));
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    for (const container of containers) {
      await world.run('create', container, '--base', 'tiny');
      copyTree(root, flat(container));
    }
    await inside(
      'two',
      'mv /w/tree /w/tree-of-two; mkdir -p /w/tree/deep; ln /w/links/d /w/own/d; echo two >>/w/own/d',
    );
  });
  afterAll(() => {
    world.remove();
  });

  async function inside(container: string, script: string): Promise<void> {
    await world.inside(container, script);
    runFlat(flat(container), world.script('inside', script));
  }

  async function apply(script: string, name: string): Promise<void> {
    const procedure = world.script(name, script);
    const { update } = await world.json<Applied>(
      ...['update', 'apply', 'tiny', procedure, '--name', name, '--engine', 'kernel', '--always-run'],
    );
    for (const container of containers) runFlat(flat(container), procedure);
    for (const { outcome } of update?.effects ?? []) expect(outcome).not.toBe('failed');
    for (const [i, now] of (await world.lookAll(containers)).entries()) {
      const container = containers[i]!;
      const found = [...differences(now, world.snapshotOf(flat(container)))];
      expect(found, `container ${container} after ${script}`).toEqual([]);
    }
  }

  it.each(Object.entries(doings))(
    'makes what it makes of a flat copy where %s',
    { timeout: 60_000 },
    async (name, doing) => {
      await apply(doing, `written-${Object.keys(doings).indexOf(name)}`);
    },
  );

  it('makes what random procedures make of a flat copy', { timeout: 60_000 + updates * 20_000 }, async () => {
    const random = fc.sample(programs(['a', 'b', 'c', 'd'], 6), { seed, numRuns: updates });
    for (const [step, program] of random.entries()) await apply(shellOf(program, '/w'), `random-${step}`);
  });

  it('leaves no mark of overlayfs but those of plain trees in what it publishes', () => {
    const nodes = [...world.snapshotOf(world.path('store', 'nodes'))].filter(([path]) => /^\/[de]-/.test(path));
    expect(nodes.some(([path]) => path.startsWith('/e-'))).toBe(true);
    const marked = nodes.filter(([, told]) => /overlay\.(?!opaque=|overlay\.)/.test(told));
    expect(marked).toEqual([]);
  });
});
