import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, mayMount } from '../support/lamina.js';

interface Change {
  path: string;
  attributes: string[];
  content: Record<string, unknown> | null;
}
interface Preview {
  base: { changes: Change[] };
  containers: { container: string; changes: Change[] }[];
}

/** What would differ in the files, before it does. */
describe.skipIf(!mayMount)('a dry run', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('dry-run');
    await world.run('init');
    const tiny = buildTiny(world.path('base'));
    writeFileSync(world.path('base/etc/app.ini'), '[server]\nport = 8080\n');
    writeFileSync(world.path('base/etc/shadow'), 'root:$6$oldsecret:1::::::\n');
    await world.run('base', 'import', 'tiny', tiny);
    for (const name of ['web', 'idle']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', "sed -i 's/8080/8081/' /etc/app.ini");
  });
  afterAll(() => {
    world.remove();
  });

  it('reports the keys, lines, sizes and attributes that would change, and changes nothing', async () => {
    const script = world.script(
      'dry',
      [
        "sed -i 's/^port.*/port = 9090/' /etc/app.ini",
        "sed -i 's/oldsecret/newsecret/' /etc/shadow",
        'echo another >>/etc/hostname; chmod 600 /etc/hosts',
        "printf 'a\\0b' >/srv/binary; ln -s /outside/etc/passwd /srv/link; mkdir /srv/new",
      ].join('\n'),
    );
    const before = world.storeContent();
    const { preview } = await world.json<{ preview: Preview }>('update', 'apply', 'tiny', script, '--dry-run');
    const of = (changes: Change[], path: string) => changes.find((each) => each.path === path);
    const web = preview.containers.find(({ container }) => container === 'web')?.changes ?? [];
    const port = (from: string) => ({ kind: 'keys', keys: [{ key: '[server] port', before: from, after: '9090' }] });
    expect(of(preview.base.changes, '/etc/app.ini')?.content).toMatchObject(port('8080'));
    expect(of(web, '/etc/app.ini')?.content).toMatchObject(port('8081'));
    expect(of(web, '/etc/hostname')?.content).toMatchObject({
      kind: 'text',
      diff: expect.stringContaining('\n+another\n') as string,
    });
    expect(of(web, '/etc/hosts')).toMatchObject({
      attributes: [expect.stringMatching(/^mode 644 .* 600$/)],
      content: null,
    });
    expect(of(web, '/srv/binary')?.content).toMatchObject({ kind: 'binary', before: null, after: { size: 3 } });
    expect(of(web, '/srv/link')?.content).toBeNull();
    expect(JSON.stringify(preview)).not.toMatch(/oldsecret|newsecret/);
    const text = await world.run('update', 'apply', 'tiny', script, '--dry-run', '--verbose');
    expect(text).toMatch(/modify +file +\/etc\/app.ini\n +\[server\] port: 8080 .* 9090\n/);
    expect(text).toMatch(/root password: changed \(its values are secret\)/);
    expect(text).not.toMatch(/secret:/);
    expect([...differences(before, world.storeContent())]).toEqual([]);
  });

  it('compares what it can beside a file that takes long', async () => {
    const changes = (value: number, short: string) =>
      `seq 1 85000 | sed 's/.*/k&: ${value}/' >/srv/long.yaml; echo ${short} >/srv/short`;
    await world.run('update', 'apply', 'tiny', world.script('long', changes(1, 'a')));
    const again = world.script('again', changes(2, 'b'));
    const { preview } = await world.json<{ preview: Preview }>('update', 'apply', 'tiny', again, '--dry-run');
    const of = (path: string) => preview.base.changes.find((each) => each.path === path)?.content;
    expect(of('/srv/short')).toMatchObject({ kind: 'text' });
    // By its keys where the machine is quick, else with a note that it took too long.
    expect(of('/srv/long.yaml')).toMatchObject({ kind: expect.stringMatching(/^(keys|binary)$/) as string });
    await world.run('rollback', 'long');
  });
});
