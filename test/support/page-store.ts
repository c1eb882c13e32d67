import { writeFileSync } from 'node:fs';
import type { World } from './lamina.js';

/** The name of a file that is HTML, in a container that is not to be trusted. */
export const nastyName = '<img src=x onerror="document.title=1">';

/**
 * A store with all that the page shows: containers that are alike, one with changes of its own, one that is behind, one
 * in conflict; updates that changed some of them, one by hand, one that was rolled back and one that failed.
 */
export async function fillStore(world: World): Promise<void> {
  await world.initWithTiny();
  for (const name of ['web', 'db', 'late', ...['1', '2', '3', '4', '5', '6'].map((number) => `shop-${number}`)])
    await world.run('create', name, '--base', 'tiny');
  await world.inside(
    'web',
    `sed -i 's/^port = .*/port = 9090/' /etc/app.conf
     mkdir -p /srv/www /opt/own; echo hello >/srv/www/index.html
     printf '%s' nasty >'/opt/own/${nastyName.replaceAll("'", '')}'
     head -c 20000 /dev/zero >/opt/own/data.bin`,
  );
  await world.inside('db', `sed -i 's/^log = .*/log = \\/srv\\/db.log/' /etc/app.conf`);
  const conf = (line: string) => `sed -i 's/^${line.split(' = ')[0] ?? ''} = .*/${line}/' /etc/app.conf`;
  await world.run('update', 'apply', 'tiny', world.script('more-workers', conf('workers = 4')));
  await world.run(
    'update',
    'apply',
    'tiny',
    world.script('motd', `echo 'be careful' >/etc/motd; mkdir -p /usr/share/notes; echo one >/usr/share/notes/one`),
  );
  await byHand(world);
  const all = ['web', 'db', ...['1', '2', '3', '4', '5', '6'].map((number) => `shop-${number}`)];
  await world.run(
    'update',
    'apply',
    'tiny',
    world.script('security', `${conf('workers = 6')}; echo fixed >/usr/share/notes/two`),
    ...all.map((name) => `--container=${name}`),
  );
  await world.inside('web', `echo mine >>/usr/share/notes/two`);
  await world.run('update', 'apply', 'tiny', world.script('regretted', 'echo gone >/usr/share/notes/three'));
  await world.run('rollback', 'regretted');
  await failed(world);
}

/** The same line in the update and in a container: neither can be kept without the other's being lost. */
async function byHand(world: World): Promise<void> {
  const directory = world.makeDirectory('by-hand');
  await world.run('update', 'begin', 'tiny', directory, '--name', 'by-hand');
  writeFileSync(
    `${directory}/etc/app.conf`,
    '# application settings\nport = 7000\nworkers = 4\nlog = /var/log/app.log\n',
  );
  await world.run('update', 'commit', 'by-hand');
}

/** An update whose health check fails: it is on record, with what the check printed. */
async function failed(world: World): Promise<void> {
  const directory = world.makeDirectory('unhealthy');
  const write = (name: string, text: string) => writeFileSync(`${directory}/${name}`, text, { mode: 0o755 });
  write('upgrade', '#!/bin/sh\necho broken >/etc/app.conf\n');
  const check = 'grep ^port /etc/app.conf || { echo "the settings have no port"; exit 1; }';
  const description = { version: 1, name: 'unhealthy', procedure: 'upgrade', health: { command: check } };
  write('update.json', JSON.stringify(description));
  const done = await world.attempt('update', 'apply', 'tiny', directory);
  if (!done.stderr.includes('unhealthy')) throw new Error(`the health check did not fail: ${done.stderr}`);
}
