import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lamina.js';
import { podmanPlaces, podmanSettings } from '../podman.js';
import { containerfile, stepFunctions } from './steps.js';
import type { Step, Who } from './steps.js';

/** What mounts the layers of a storage: a mount program, or '' for the kernel's overlay. */
export interface Driver {
  readonly name: string;
  readonly program: string;
}

export interface Taken {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The first of the subordinate ids of whoever uses the engine. */
const firstId = 400_000;
const user = 1000;

/** User 1000 with a name and subordinate ids, and a device node that it may open; only in this mount namespace. */
const machine = (device: number, ids: number) => `
places=/run/places; mkdir $places; mount -t tmpfs -o mode=755 none $places
mknod -m ${device.toString(8)} $places/fuse c 10 229; mount --bind $places/fuse /dev/fuse
for f in passwd group; do grep -v :${user}: /etc/$f >$places/$f || true; mount --bind $places/$f /etc/$f; done
echo engine:x:${user}:${user}::/run/p/home:/bin/sh >>/etc/passwd; echo engine:x:${user}: >>/etc/group
printf 'engine:${firstId}:${ids}\\ncontainers:${firstId}:${ids}\\n' >$places/ids
for f in subuid subgid; do mount --bind $places/ids /etc/$f; done`;

/** The storage of a driver, with a shell session for each call. */
export class Session {
  readonly #place: string;

  /** @param tars directory with `debian.tar` and `tiny.tar`, which anybody may read */
  constructor(
    place: string,
    private driver: Driver,
    readonly who: Who,
    readonly tars: string,
  ) {
    this.#place = place;
    for (const each of ['home', 'context', 'volume/dir', 'results', 'steps'])
      mkdirSync(join(place, each), { recursive: true });
    this.#write('engine.conf', podmanSettings);
    this.mountBy(driver);
    this.#write('context/Containerfile', containerfile);
    this.#write('context/Runtimefile', 'FROM localhost/tiny:1\nRUN touch /made\n');
    for (const name of ['file', 'dir/inside']) this.#write(join('volume', name), 'of the host\n');
    cpSync(join(tars, 'tool.deb'), join(place, 'context/tool.deb'));
    if (who === 'user') spawnSync('chown', ['-R', `${user}:${user}`, place]);
    chmodSync(place, 0o755);
  }

  /** From now on; what another driver has left in the storage stays. @param options beside `nodev` */
  mountBy(driver: Driver, options = ''): void {
    this.driver = driver;
    const mountProgram = driver.program === '' ? '' : `mount_program = "${driver.program}"\n`;
    this.#write(
      'storage.conf',
      '[storage]\ndriver = "overlay"\nrunroot = "/run/p/run"\ngraphroot = "/run/p/root"\n' +
        'rootless_storage_path = "/run/p/root"\n' +
        `[storage.options.overlay]\nmountopt = "nodev${options}"\n${mountProgram}`,
    );
  }

  #write(path: string, text: string): void {
    writeFileSync(join(this.#place, path), text);
  }

  /**
   * Runs shell lines as whoever this session is of, in a mount namespace of their own.
   * @param options mode of /dev/fuse, number of subordinate ids
   */
  async run(script: string, { device = 0o666, ids = 65_536 } = {}): Promise<Taken> {
    this.#write('session', `${stepFunctions}\n${script}\n`);
    const as = this.who === 'user' ? `setpriv --reuid ${user} --regid ${user} --clear-groups` : '';
    // A rootless engine notes the process that holds its namespaces; the next session has others.
    const end = this.who === 'user' ? `${as} podman system migrate` : ':';
    const outer = `set -e; ${podmanPlaces}; chmod 1777 /run /dev/shm /run/lock; ${machine(device, ids)}
      mkdir /run/p; mount --bind ${this.#place} /run/p; cd /run/p
      export HOME=/run/p/home XDG_RUNTIME_DIR=/run/p/home TMPDIR=/run/p/home
      export CONTAINERS_STORAGE_CONF=/run/p/storage.conf CONTAINERS_CONF=/run/p/engine.conf; unset XDG_CONFIG_HOME XDG_DATA_HOME
      code=0; ${as} bash session || code=$?; ${end}; exit $code`;
    // No process outlives the session: engines leave some.
    const apart = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const done = await run('unshare', [...apart, 'bash', '-c', outer]);
    return { code: done.code ?? -1, stdout: done.stdout, stderr: done.stderr };
  }

  /** Takes steps in their order, each whatever became of those before it. */
  async take(steps: readonly Step[]): Promise<Map<string, Taken>> {
    for (const [number, step] of steps.entries()) this.#write(`steps/${number}`, `${stepFunctions}\n${step.script}\n`);
    const begin = `
      for i in debian tiny; do podman import -q ${this.tars}/$i.tar localhost/$i:1 >/dev/null || exit 1; done
      ln -s ${this.tars}/tiny.tar .`;
    const each = `
      for n in $(seq 0 ${steps.length - 1}); do
        bash -e steps/$n </dev/null >results/$n.out 2>results/$n.err; echo $? >results/$n.code
      done`;
    const end = '{ podman rm -fat 0; podman rmi -fa; } >/dev/null';
    const done = await this.run([begin, each, end].join('\n'));
    if (done.code !== 0) throw new Error(`${this.driver.name} (${this.who}): ${done.stderr}`);
    const read = (name: string) => readFileSync(join(this.#place, 'results', name), 'latin1');
    return new Map(
      steps.map((step, n) => {
        const [stdout, stderr, code] = ['out', 'err', 'code'].map((kind) => read(`${n}.${kind}`));
        return [step.name, { code: Number(code), stdout: stdout ?? '', stderr: stderr ?? '' }];
      }),
    );
  }
}
