import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';

interface Applied {
  update: { id: string };
  determinism?: { differs: { path: string; how: string }[]; ephemeral: string[] };
}

/** What `--check-determinism` says, and that what it offers helps. */
describe.skipIf(!mayMount)('two runs on the base', () => {
  let world: World;
  beforeAll(async () => {
    world = new World('determinism');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  it('are compared: what differs is listed, with globs that leave it out', async () => {
    const text = [
      'mkdir -p /srv/x; echo same >/srv/same; touch /srv/touched',
      'cat /proc/sys/kernel/random/uuid >/srv/stamp; echo $$ >/srv/pid',
      'read -r id </proc/sys/kernel/random/uuid; echo x >/srv/x/tmp.$id',
    ].join('\n');
    const script = world.script('random', text);
    const { update, determinism } = await world.json<Applied>('update', 'apply', 'tiny', script, '--check-determinism');
    const differs = determinism?.differs.map(({ path, how }) => `${path.replace(/tmp\..*/, 'tmp.')} ${how}`).sort();
    expect(differs).toEqual(['/srv/stamp differs', '/srv/x/tmp. only-first', '/srv/x/tmp. only-second']);
    expect(determinism?.ephemeral).toEqual(['/srv/stamp', '/srv/x/tmp.*']);
    const report = readFileSync(`${world.store}/updates/${update.id}/report.json`, 'utf8');
    const kept = (JSON.parse(report) as Applied).determinism;
    // In the store paths have no slash before them.
    const absolute = kept?.differs.map((each) => ({ ...each, path: `/${each.path}` }));
    expect({ ...kept, differs: absolute }).toEqual(determinism);
    // The update is of the first run.
    const [first] = determinism?.differs.filter(({ how }) => how === 'only-first') ?? [];
    expect(await world.inside('web', 'ls -d /srv/x/tmp.*')).toBe(`${first?.path ?? ''}\n`);

    const directory = world.path('package');
    mkdirSync(directory);
    writeFileSync(`${directory}/run.sh`, `#!/bin/sh\nset -e\n${text}\n`, { mode: 0o755 });
    const description = { version: 1, procedure: 'run.sh', ephemeral: determinism?.ephemeral };
    writeFileSync(`${directory}/update.json`, JSON.stringify(description));
    const said = await world.run('update', 'apply', 'tiny', directory, '--check-determinism', '--dry-run');
    expect(said).toContain('two runs on the base gave the same result, except for timestamps\n');
  });
});
