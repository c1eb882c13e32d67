import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { World, buildTiny, copyTree, isRoot } from './lamina.js';

export interface Created {
  readonly takenOver: {
    readonly entries: number;
    readonly bytes: number;
    readonly shared: { readonly entries: number; readonly bytes: number };
    readonly sockets: number;
  } | null;
}

export const inShell = (script: string, cwd: string): string =>
  execFileSync('sh', ['-ec', script], { cwd, encoding: 'utf8' });

/** A store with the tiny root as its base, and a clone of that which differs in every way that a root can. */
export class CloneWorld extends World {
  readonly tiny = this.path('tiny');
  readonly clone = this.path('clone');

  async build(): Promise<void> {
    buildTiny(this.tiny);
    copyTree(this.tiny, this.clone);
    inShell(
      `echo mine >etc/mine; echo longer >>etc/hosts; rm etc/app.conf; rm -r home/user; mkdir home/user; chmod 700 home
       ln usr/bin/app usr/bin/app-too; ln -s mine etc/link; mkfifo run/fifo; mknod dev/own c 5 7; chown 5:6 etc/passwd
       setfattr -n user.own -v 1 etc/group; setfattr -n trusted.overlay.opaque -v y srv; setfacl -m u:7:r etc/hostname
       touch -d @1 etc/motd; rm -f usr/share/app.version; mkdir usr/share/app.version
       cp bin/busybox usr/bin/ping; setcap cap_net_raw+ep usr/bin/ping; truncate -s 5M var/lib/sparse`,
      this.clone,
    );
    chmodSync(join(this.clone, 'etc/mine'), 0o4755);
    await this.run('init');
    await this.run('base', 'import', 'tiny', this.tiny);
  }

  readonly at = (...parts: string[]): string => this.path(...parts);

  readonly sh = (script: string, cwd = this.directory): string => inShell(script, cwd);

  readonly takeOver = async (name: string, from: string, ...more: string[]): Promise<Created> =>
    this.json<Created>('create', name, '--base', 'tiny', '--from', from, ...more);
}

/** One for the tests of a file; the containers of each are removed after it. It is built when they begin. */
export function cloneWorld(name: string): CloneWorld {
  const world = new CloneWorld(name);
  // Where the tests are skipped nothing runs that would remove it.
  if (!isRoot) world.remove();
  beforeAll(async () => world.build());
  afterEach(async () => {
    const { containers } = await world.json<{ containers: { name: string }[] }>('status');
    for (const container of containers) await world.run('remove', container.name);
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });
  return world;
}
