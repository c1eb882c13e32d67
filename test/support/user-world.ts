import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { World, buildTiny, checkout, start } from './lamina.js';
import type { Finished } from './lamina.js';

export interface WorldUser {
  readonly id: number;
  readonly name: string;
}

/** Debian's `nobody`: fusermount3 wants a name for whoever mounts. */
export const nobody: WorldUser = { id: 65_534, name: 'nobody' };
/** The first user that adduser(8) makes: it has this name here alone. */
export const firstUser: WorldUser = { id: 1000, name: 'somebody' };

/**
 * A world of a user: `home`, where its store is to be, on a machine that lets everybody mount and gives the user
 * subordinate ids.
 */
export class UserWorld extends World {
  readonly home: string;

  constructor(
    name: string,
    readonly user: WorldUser = nobody,
  ) {
    super(name);
    chmodSync(this.directory, 0o755);
    cpSync(join(checkout, 'dist'), this.path('dist'), { recursive: true });
    this.giveIds(65_536);
    // A device node that every user may open, as Debian's has it; on a file system of its own, for that of this world
    // may have no devices.
    this.makeDirectory('dev');
    const node = ['mount -t tmpfs -o mode=755 none dev', 'mknod -m 666 dev/fuse c 10 229'];
    const binds = ['dev/fuse /dev/fuse', 'ids /etc/subuid', 'ids /etc/subgid'];
    if (user !== nobody) binds.push(...this.#accounts());
    const lines = [...node, ...binds.map((words) => `mount --bind ${words}`)];
    writeFileSync(
      this.path('enter'),
      `cd ${this.directory} && ${lines.join(' && ')} && exec setpriv --reuid ${user.id} --regid ${user.id} --clear-groups "$@"\n`,
    );
    this.home = this.makeDirectory('home');
    this.own();
  }

  /** From the next command on. */
  giveIds(count: number, name = this.user.name): void {
    writeFileSync(this.path('ids'), `${name}:300000:${count}\n`);
  }

  /** What is in `home` belongs to the user. */
  own(): void {
    spawnSync('chown', ['-R', `${this.user.id}:${this.user.id}`, this.home]);
  }

  /** `home/tiny`, the tiny root, and `home/tiny.tar`. */
  buildTiny(): void {
    const root = buildTiny(join(this.home, 'tiny'));
    // An ordinary user cannot make device nodes.
    for (const name of readdirSync(join(root, 'dev'))) rmSync(join(root, 'dev', name));
    // Owners and access lists as they are: in a user namespace those of a directory would be nobody's.
    const kinds = ['--acls', '--xattrs', '--xattrs-include=user.*'];
    const packed = spawnSync('tar', [...kinds, '-C', root, '-cf', join(this.home, 'tiny.tar'), '.']);
    if (packed.status !== 0) throw new Error(packed.stderr.toString());
    this.own();
  }

  async as(...args: string[]): Promise<Finished> {
    return this.asWith({}, ...args);
  }

  async asWith(more: NodeJS.ProcessEnv, ...args: string[]): Promise<Finished> {
    const through = ['unshare', '--mount', 'sh', this.path('enter')];
    const env = { ...process.env, LAMINA_STORE: join(this.home, 'store'), HOME: this.home, TMPDIR: this.home, ...more };
    return start(process.execPath, [this.path('dist/lamina.js'), ...args], { through, env }).finished;
  }

  /** Files with the accounts of this machine and that of the user, and where they belong. */
  #accounts(): string[] {
    const { id, name } = this.user;
    const lines = { passwd: `${name}:x:${id}:${id}::/:/bin/sh`, group: `${name}:x:${id}:` };
    return Object.entries(lines).map(([file, line]) => {
      const others = readFileSync(`/etc/${file}`, 'utf8')
        .split('\n')
        .filter((each) => each !== '' && each.split(':')[2] !== `${id}` && !each.startsWith(`${name}:`));
      writeFileSync(this.path(file), [...others, line, ''].join('\n'));
      return `${file} /etc/${file}`;
    });
  }

  /** Ends the process that holds the user namespace of a store with subordinate ids; else it would a little later. */
  endHolder(): void {
    const holder = readFileSync(join(this.home, 'store/users'), 'utf8').split(' ')[0] ?? '';
    // It may have ended already.
    spawnSync('kill', ['-KILL', holder]);
  }
}
