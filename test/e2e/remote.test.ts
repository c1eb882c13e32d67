import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';
import { Server } from '../support/serve-client.js';

/** The commands on a store that a server serves: the same results, texts and exit codes. */
describe.skipIf(!mayMount)('lamina --remote', () => {
  let world: World;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    world = new World('remote');
    await world.initWithTiny();
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo mine >>/etc/app.conf; echo >"/srv/$(printf \'a\\377\')"');
    await world.run('update', 'apply', 'tiny', world.script('first', 'echo first >/etc/first'));
    server = await Server.start(world, ['--listen', `unix:${world.path('s.sock')}`, '--allow-changes']);
    ({ url } = server);
  });
  afterAll(async () => {
    await server.end();
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** With an empty environment for the store: nothing is read here. */
  const remote = async (args: readonly string[], at = url, env: NodeJS.ProcessEnv = {}) =>
    world.start(['--remote', at, ...args], { env: { LAMINA_STORE: '/nowhere', ...env } }).finished;

  const reading: readonly string[][] = [
    ['status'],
    ['status', 'web'],
    ['list', '--filter', 'name=w*'],
    ['base', 'list'],
    ['base', 'show', 'tiny'],
    ['diff', 'web'],
    ['diff', 'web', '--path', '/etc/app.conf'],
    ['explain', 'web', '/etc/app.conf'],
    ['processes', 'web'],
    ['update', 'list', '--all'],
    ['update', 'show', 'first'],
    ['log', 'first', '--path', '/etc/*'],
    ['displaced', 'list', '--container', 'web'],
    ['update', 'show', 'nothing'],
    ['explain', 'nobody', '/'],
    ['list', '--filter', 'nothing'],
  ];
  it.each(reading.map((args) => ({ args, title: args.join(' ') })))('$title reads as here', async ({ args }) => {
    const compare = async (words: string[]) => {
      const [there, here] = await Promise.all([remote(words), world.attempt(...words)]);
      expect(there).toEqual(here);
    };
    await Promise.all([compare(args), compare(['--json', ...args])]);
  });

  it('acts there, and shows what happens', async () => {
    const procedure = world.script('second', 'echo said; echo second >/etc/second');
    const dry = await remote(['update', 'apply', 'tiny', procedure, '--dry-run', '--verbose']);
    expect(dry.stdout).toMatch(/^a dry run: nothing was changed/);
    const applied = await remote(['update', 'apply', 'tiny', procedure, '--container', 'web']);
    expect(applied).toMatchObject({ code: 0, stderr: '--- base tiny\nsaid\n' });
    expect(applied.stdout).toMatch(/^applied update second\n/);
    expect((await remote(['update', 'catch-up', 'db'])).stdout).toMatch(/caught up with 1 update/);
    expect((await remote(['rollback', 'second', '--dry-run'])).stdout).toMatch(/^would roll back update second/);
    expect((await remote(['rollback', 'second'])).stdout).toMatch(/^rolled back update second/);
    expect((await remote(['update', 'redo', 'second', '--name', 'third'])).stdout).toMatch(/^applied update third\n/);
    expect((await remote(['log', 'third', '--output'])).stdout).toBe('said\n');
    await world.inside('db', 'echo mine >/etc/second');
    expect((await remote(['rollback', 'third'])).stdout).toMatch(/displaced: \/etc\/second/);
    const [displaced] = (await world.json<{ displaced: { id: string }[] }>('displaced', 'list')).displaced;
    const restored = await remote(['displaced', 'restore', displaced!.id]);
    expect(restored.stdout).toBe('restored /etc/second to container db\n');
    expect((await remote(['displaced', 'drop', '--all'])).stdout).toMatch(/dropped 1 thing/);
    const imported = await remote(['base', 'import', 'other', world.path('tiny')]);
    expect(imported.stdout).toMatch(/^imported base other as /);
    expect((await remote(['base', 'import', 'other', './tiny'])).stderr).toMatch(/neither an absolute path/);
    expect((await remote(['base', 'import', 'other', '-'])).stderr).toMatch(/cannot be imported from standard input/);
    expect((await remote(['create', 'new', '--base', 'tiny'])).stdout).toBe('created container new on base tiny\n');
    expect((await remote(['remove', 'new'])).stdout).toBe('removed container new\n');
    expect((await remote(['merge', 'tiny', '--dry-run'])).code).toBe(0);
    expect((await remote(['gc', '--dry-run'])).stdout).toMatch(/^there is no garbage/);
    expect((await remote(['verify', '--quick'])).stdout).toMatch(/nothing is wrong/);
    const failed = await remote(['rollback', 'second']);
    expect(failed).toMatchObject({ code: 3, stdout: '' });
    expect(failed.stderr).toMatch(/^lamina: .*second/m);
    const relative = await remote(['update', 'apply', 'tiny', 'up.sh']);
    expect(relative).toMatchObject({ code: 2 });
    expect(relative.stderr).toMatch(/neither an absolute path on the server nor an image/);
  });

  it('is interrupted there by the signal that interrupts it here', async () => {
    const before = world.manifest();
    const slow = world.script('slow', 'echo began; sleep 60');
    const started = world.start(['--remote', url, 'update', 'apply', 'tiny', slow]);
    await started.said('began');
    started.child.kill('SIGINT');
    const done = await started.finished;
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/interrupted by SIGTERM; nothing was changed/);
    expect(world.manifest()).toBe(before);
  });

  it('refuses what it cannot do there, and says why', async () => {
    for (const words of [['mount', 'web', '/mnt'], ['init'], ['run', 'web', 'true'], ['recover'], ['host']]) {
      const done = await remote(words);
      expect(done.stderr, words.join(' ')).toMatch(/does not work with --remote/);
      expect([2, 125]).toContain(done.code);
    }
    expect((await remote(['graph'])).stderr).toMatch(/as data only/);
    expect((await remote(['--store', '/x', 'status'])).stderr).toMatch(/exclude each other/);
    expect((await remote(['status'], 'http://example.org')).stderr).toMatch(/would show the token to the network/);
    const nobody = await remote(['status'], `unix:${world.path('none.sock')}`);
    expect(nobody).toMatchObject({ code: 1 });
    expect(nobody.stderr).toMatch(/cannot reach the server at unix:/);
  });

  it('shows its token, which the server asks for on TCP', async () => {
    await server.end();
    const tokens = world.path('tokens');
    writeFileSync(tokens, `me ${'t'.repeat(40)} read-only\n`, { mode: 0o600 });
    server = await Server.start(world, ['--listen', '127.0.0.1:0', '--token-file', tokens, '--allow-changes']);
    expect((await remote(['status'], server.url)).stderr).toMatch(
      /no token that this server knows\n {2}LAMINA_TOKEN_FILE must name a file/,
    );
    const env = { LAMINA_TOKEN_FILE: tokens };
    expect((await remote(['status'], server.url, env)).stdout).toBe(await world.run('status'));
    const refused = await remote(['gc'], server.url, env);
    expect(refused).toMatchObject({ code: 4 });
    expect(refused.stderr).toMatch(/the token me is read-only/);
  });
});
