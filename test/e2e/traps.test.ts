import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { mknodSync, setXattrSync } from '../../src/platform/native.js';
import { World, buildTiny, differences, isRoot } from '../support/lamina.js';

/** What a hostile name would do to a terminal: a new line that looks like ours, and an escape sequence. */
const evil = 'x\nremoved base tiny\u001b[31m';

/**
 * Trees that want commands to read or write outside of the store: a layer, and what a container has. The host's files
 * are stood for by `outside`, which nobody may touch and whose words nobody may print.
 */
describe.skipIf(!isRoot)('planted traps', () => {
  let world: World;
  let outside: string;
  let before: ReturnType<World['snapshotOf']>;
  const said: string[] = [];
  const secret = 'the host and nobody else';

  /** All that is printed is looked at in the end. */
  async function lamina(...args: string[]): Promise<string> {
    const done = await world.attempt(...args);
    said.push(done.stdout, done.stderr);
    if (done.code !== 0) throw new Error(`lamina ${args.join(' ')} ended with ${String(done.code)}: ${done.stderr}`);
    return done.stdout;
  }

  /** Below a directory of a tree: links out of it where a path would lead, and what must stay as it is. */
  function plant(directory: string): void {
    mkdirSync(directory, { recursive: true });
    symlinkSync(outside, join(directory, 'out'));
    symlinkSync('../../../../../../../../../../..' + outside, join(directory, 'up'));
    symlinkSync('/etc/passwd', join(directory, 'passwd'));
    symlinkSync(join(outside, 'secret'), join(directory, 'file'));
    symlinkSync('..', join(directory, 'parent'));
    mknodSync(fromText(join(directory, 'disk')), 0o060666, 7, 0);
    mknodSync(fromText(join(directory, 'null')), 0o020666, 1, 3);
    mknodSync(fromText(join(directory, 'fifo')), 0o010666, 0, 0);
    writeFileSync(join(directory, 'setuid'), 'id\n');
    chmodSync(join(directory, 'setuid'), 0o6755);
    linkSync(join(directory, 'setuid'), join(directory, 'setuid-too'));
    writeFileSync(join(directory, evil), 'evil\n');
    setXattrSync(fromText(join(directory, 'setuid')), 'user.odd \n\u001b[31m', Buffer.from('\n\u001b[31m'));
    setXattrSync(fromText(join(directory, 'setuid')), 'trusted.odd', Buffer.from([0, 255, 10]));
  }

  beforeAll(async () => {
    world = new World('traps');
    outside = world.makeDirectory('outside');
    writeFileSync(join(outside, 'secret'), `${secret}\n`);
    mkdirSync(join(outside, 'deep'));
    writeFileSync(join(outside, 'deep/kept'), 'kept\n');
    before = world.snapshotOf(outside);
    const tiny = buildTiny(world.path('tiny'));
    plant(join(tiny, 'traps'));
    await lamina('init');
    await lamina('base', 'import', 'tiny', tiny);
    for (const name of ['web', 'db']) await lamina('create', name, '--base', 'tiny');
    await world.mounted('web', (root) => {
      plant(join(root, 'own'));
    });
  });
  afterAll(() => {
    world.remove();
  });

  const untouched = () => {
    expect([...differences(before, world.snapshotOf(outside))]).toEqual([]);
  };

  /** A script that turns directories into links to the host, and writes by the same paths before. */
  const turning = () =>
    world.script(
      'turning',
      `mkdir -p /traps/deep /etc/turn; echo 1 >/traps/deep/kept; echo 1 >/etc/turn/kept; echo 2 >'/traps/${evil}'
       cp /traps/setuid /traps/setuid-copy; chmod 6755 /traps/setuid-copy`,
    );

  it('are imported as they are', async () => {
    const root = await world.look('db');
    expect(root.get('/traps/out')).toContain(outside);
    expect(root.get('/traps/setuid')).toMatch(/6755.*one of 2 names/);
    untouched();
  });

  it('lead no update out of the root, nor the telling of it', async () => {
    await lamina('update', 'apply', 'tiny', turning(), '--dry-run', '--verbose');
    await lamina('update', 'apply', 'tiny', turning());
    const link = `rm -r /traps/deep /etc/turn; ln -s ${outside}/deep /traps/deep; ln -s ${outside} /etc/turn`;
    await lamina('update', 'apply', 'tiny', world.script('linking', link));
    await lamina('update', 'show', 'linking');
    await lamina('log', 'turning');
    await lamina('explain', 'web', '/traps/deep');
    untouched();
  });

  it('lead no comparison out of the store', async () => {
    await lamina('diff', 'web');
    await lamina('diff', 'web', 'db');
    await lamina('--json', 'diff', 'web');
    untouched();
  });

  it('are verified as links and nodes, whose device nobody opens', async () => {
    expect(JSON.parse(await lamina('--json', 'verify'))).toMatchObject({ findings: [] });
    await lamina('verify', '--repair');
    untouched();
  });

  it('lead neither a rollback nor what it displaces out of the store', async () => {
    await world.mounted('web', (root) => {
      plant(join(root, 'etc/since'));
      writeFileSync(join(root, 'traps', evil), 'mine\n');
    });
    const root = await world.look('db');
    expect(root.get('/traps/deep')).toContain('symlink');
    await lamina('rollback', 'linking');
    await lamina('rollback', 'turning');
    untouched();
    const asides = readdirSync(join(world.store, 'asides'));
    expect(asides).toHaveLength(1);
    const to = world.path('restored');
    await lamina('rollback', 'turning', '--restore', `traps/${evil}`, '--to', to);
    expect(readFileSync(to, 'utf8')).toBe('mine\n');
  });

  it.each([
    ['..', '../../outside/secret'],
    ['a link above', 'traps/out/secret'],
    ['a link to the parent', 'traps/parent/etc/passwd'],
  ])('restore nothing by %s', async (_, path) => {
    const to = world.path('stolen');
    const done = await world.attempt('rollback', 'turning', '--restore', path, '--to', to);
    said.push(done.stdout, done.stderr);
    expect({ code: done.code, made: existsSync(to) }).toEqual({ code: 3, made: false });
  });

  it('are folded by a merge into what they were', async () => {
    await lamina('update', 'apply', 'tiny', turning(), '--name', 'again');
    const link = `rm -r /traps/deep; ln -s ${outside}/deep /traps/deep; echo 3 >>'/own/setuid' || true`;
    await lamina('update', 'apply', 'tiny', world.script('linking-too', link));
    const roots = await world.lookAll(['web', 'db']);
    await lamina('merge', '--yes');
    for (const [i, now] of (await world.lookAll(['web', 'db'])).entries())
      expect([...differences(roots[i]!, now)]).toEqual([]);
    await lamina('verify');
    await lamina('gc');
    await lamina('remove', 'web');
    untouched();
  });

  it('print no name as it is, and no word of the host', () => {
    const text = said.join('');
    // It was printed.
    expect(text).toContain('removed base tiny');
    expect(text).not.toContain('\u001b');
    expect(text).not.toMatch(/^removed base tiny/m);
    expect(text).not.toContain(secret);
    expect(text).not.toContain('root:x:0');
  });
});
