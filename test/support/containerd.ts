import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isSystemError } from '../../src/base/errors.js';
import { World, buildTiny, isRoot, run, start } from './lamina.js';
import type { Finished, Started } from './lamina.js';
import { hasProgram, runtimes } from './runtimes.js';
import { expectSoon } from './soon.js';

/** containerd, a registry, and what its containers run by; '' where all is here. */
export const containerdRequirement = !isRoot
  ? ' (needs root)'
  : (['containerd', 'ctr', 'docker-registry', 'skopeo', 'umoci'].map((name) => missing(name)).find(Boolean) ??
    runtimes.find(({ name }) => name === 'runc')?.requirement ??
    ' (needs runc)');

function missing(name: string): string {
  return hasProgram(name) ? '' : ` (needs ${name})`;
}

/** A container by ctr, and what it runs. */
export interface Run {
  readonly image: string;
  readonly name: string;
  readonly command: readonly string[];
  /** Words of `ctr run`. */
  readonly options?: readonly string[];
  /** The container of Lamina whose root it has. */
  readonly container?: string;
}

const containerLabel = 'containerd.io/snapshot/dev.lamina.container';

/**
 * A machine's containerd with Lamina as its snapshotter; all of it is below one directory, but what runc and the shims
 * keep at fixed places: these are below a name space of containerd's that no other has.
 */
export class ContainerdWorld extends World {
  readonly socket = this.path('containerd.sock');
  readonly snapshots = this.path('snapshotter.sock');
  readonly nameSpace = basename(this.directory);
  #snapshotter: Started | undefined;
  #containerd: Started | undefined;
  #registry: Started | undefined;
  #registryAt: string | undefined;

  /** Starts what does not run. @param words of `lamina snapshotter` */
  async startAll(...words: string[]): Promise<void> {
    await this.startSnapshotter(...words);
    await this.startContainerd();
  }

  async startSnapshotter(...words: string[]): Promise<void> {
    this.#snapshotter ??= this.start(['snapshotter', '--address', this.snapshots, ...words]);
    await this.#snapshotter.said('listening at');
    // It dials again seconds after it was refused.
    const isDialed = async () => (await this.ctr('snapshots', '--snapshotter', 'lamina', 'ls')).code === 0;
    if (this.#containerd !== undefined) await expectSoon(isDialed, 'the connection of containerd to the snapshotter');
  }

  async startContainerd(): Promise<void> {
    if (this.#containerd !== undefined) return;
    const config = this.path('containerd.toml');
    writeFileSync(config, this.#config());
    this.#containerd = start('containerd', ['--config', config]);
    const answers = async () => (await this.ctr('snapshots', '--snapshotter', 'lamina', 'ls')).code === 0;
    await expectSoon(answers, 'the answer of containerd');
  }

  /** The plugins that need what a test has not: CRI a network, the others file systems. */
  #config(): string {
    const disabled = ['grpc.v1.cri', 'snapshotter.v1.btrfs', 'snapshotter.v1.zfs', 'snapshotter.v1.devmapper'];
    return `version = 2
root = "${this.path('root')}"
state = "${this.path('state')}"
disabled_plugins = [${disabled.map((name) => `"io.containerd.${name}"`).join(', ')}]
[grpc]
  address = "${this.socket}"
[ttrpc]
  address = "${this.path('ttrpc.sock')}"
[proxy_plugins.lamina]
  type = "snapshot"
  address = "${this.snapshots}"
`;
  }

  /** @param signal SIGKILL: it has no time to end what it does */
  async stopSnapshotter(signal: NodeJS.Signals = 'SIGTERM'): Promise<Finished | undefined> {
    const started = this.#snapshotter;
    this.#snapshotter = undefined;
    started?.child.kill(signal);
    return started?.finished;
  }

  async stopContainerd(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const started = this.#containerd;
    this.#containerd = undefined;
    started?.child.kill(signal);
    await started?.finished;
  }

  /** Ends all that was started, and what a failed test left. */
  async stopAll(): Promise<void> {
    if (this.#containerd !== undefined) await this.#endTasks();
    await this.stopContainerd();
    await this.stopSnapshotter();
    this.#registry?.child.kill();
    await this.#registry?.finished;
    await this.#endShims();
  }

  async #endTasks(): Promise<void> {
    const { stdout } = await this.ctr('tasks', 'ls', '--quiet');
    for (const name of stdout.split('\n').filter(Boolean)) await this.endTask(name);
  }

  /** Kills a task, and removes it once it has ended. */
  async endTask(name: string): Promise<void> {
    await this.ctr('tasks', 'kill', '--signal', 'SIGKILL', name);
    await expectSoon(async () => (await this.ctr('tasks', 'rm', name)).code === 0, `the end of task ${name}`);
  }

  /** Tasks and their shims outlive containerd, and are left where it could not be started again. */
  async #endShims(): Promise<void> {
    const groups = groupsOf(this.nameSpace);
    const tasks = groups.flatMap((group) => readIfThere(join(group, 'cgroup.procs'))?.split('\n') ?? []);
    const shims = () => processes().filter((pid) => isShimOf(this.nameSpace, pid));
    for (const pid of [...tasks.filter(Boolean), ...shims()]) kill(pid);
    await expectSoon(() => shims().length === 0, 'the end of the shims');
    for (const socket of this.#shimSockets()) rmSync(socket, { force: true });
    rmSync(join('/run/containerd/runc', this.nameSpace), { recursive: true, force: true });
    // The kernel has a group as busy until all of it has ended.
    for (const group of groups) await expectSoon(() => isRemoved(group), `the end of control group ${group}`);
  }

  /** Of shims that were killed: others remove theirs. */
  #shimSockets(): string[] {
    const tasks = this.path('state/io.containerd.runtime.v2.task', this.nameSpace);
    if (!existsSync(tasks)) return [];
    const addresses = readdirSync(tasks).map((name) => readIfThere(join(tasks, name, 'address')) ?? '');
    return addresses.flatMap((address) => /^unix:\/\/(\/.+)$/.exec(address)?.[1] ?? []);
  }

  async ctr(...words: string[]): Promise<Finished> {
    return run('ctr', ['--address', this.socket, '--namespace', this.nameSpace, ...words]);
  }

  async mustCtr(...words: string[]): Promise<string> {
    const done = await this.ctr(...words);
    if (done.code !== 0) throw new Error(`ctr ${words.join(' ')} ended with ${String(done.code)}:\n${done.stderr}`);
    return done.stdout;
  }

  async ctrRun({ image, name, command, options = ['--rm'], container }: Run): Promise<Finished> {
    const label = container === undefined ? [] : ['--snapshotter-label', `${containerLabel}=${container}`];
    const fifos = ['--fifo-dir', this.path('fifos')];
    return this.ctr('run', ...fifos, ...options, '--snapshotter', 'lamina', ...label, image, name, ...command);
  }

  /**
   * What a container prints to its standard output. The shim writes it to a file: ctr gives up its FIFOs as soon as the
   * container has ended, and may have read nothing by then.
   */
  async printed({ options = ['--rm'], ...what }: Run): Promise<string> {
    const file = this.path(`printed-${what.name}`);
    const command = ['/bin/sh', '-c', 'exec "$@" 2>/dev/null', 'sh', ...what.command];
    const run = { ...what, command, options: [...options, '--log-uri', `file://${file}`] };
    const done = await this.ctrRun(run);
    if (done.code !== 0) throw new Error(`ctr run ${what.name} ended with ${String(done.code)}:\n${done.stderr}`);
    return readFileSync(file, 'utf8');
  }

  async keys(): Promise<string[]> {
    const rows = (await this.mustCtr('snapshots', '--snapshotter', 'lamina', 'ls')).trim().split('\n').slice(1);
    return rows.flatMap((row) => row.split(/\s+/)[0] ?? []).sort();
  }

  /** A registry on the loopback, started once; its address. */
  async startRegistry(): Promise<string> {
    if (this.#registryAt !== undefined) return this.#registryAt;
    const config = this.path('registry.yml');
    const directory = this.makeDirectory('registry');
    writeFileSync(
      config,
      `version: 0.1\nstorage: {filesystem: {rootdirectory: ${directory}}}\nhttp: {addr: '127.0.0.1:0'}\n`,
    );
    this.#registry = start('docker-registry', ['serve', config]);
    let said = '';
    this.#registry.child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    const address = () => /listening on (127\.0\.0\.1:\d+)/.exec(said)?.[1];
    return (this.#registryAt = await expectSoon(address, 'the address of the registry'));
  }

  /**
   * An image of the tiny root, and a newer one of it with another layer: as archives, `old.tar` and `new.tar`, which
   * name them example.org/shop:old and :new. @param change of the root, by a shell that is in it
   */
  buildImages(change = 'echo 2 >etc/release; sed -i s/^workers.*/workers\\ =\\ 8/ etc/app.conf'): void {
    const layout = this.path('layout');
    const umoci = (...words: string[]) => execFileSync('umoci', words, { stdio: 'pipe' });
    const root = buildTiny(this.path('image-root'));
    if (!existsSync(layout)) umoci('init', '--layout', layout);
    umoci('new', '--image', `${layout}:old`);
    shell('tar --create --file ../lower.tar .', root);
    umoci('raw', 'add-layer', '--image', `${layout}:old`, this.path('lower.tar'));
    umoci('config', '--image', `${layout}:old`, '--config.cmd', '/bin/sh');
    // The root's own files are older.
    shell(`touch --date 2024-06-01 ../before; ${change}`, root);
    shell('find . -newer ../before -type f | tar --create --file ../upper.tar --files-from -', root);
    umoci('raw', 'add-layer', '--image', `${layout}:old`, '--tag', 'new', this.path('upper.tar'));
    for (const tag of ['old', 'new'])
      execFileSync(
        'skopeo',
        ['copy', '--quiet', `oci:${layout}:${tag}`, `oci-archive:${this.path(`${tag}.tar`)}:example.org/shop:${tag}`],
        { stdio: 'pipe' },
      );
  }

  async import(tag: 'old' | 'new'): Promise<void> {
    await this.mustCtr('images', 'import', '--snapshotter', 'lamina', this.path(`${tag}.tar`));
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // ESRCH: of a process that ends while it is read.
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

const processes = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** Whether a process is a shim of a name space of containerd: its arguments name it. */
function isShimOf(nameSpace: string, pid: string): boolean {
  const words = readIfThere(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
  return words[words.indexOf('-namespace') + 1] === nameSpace;
}

/** Control groups of a name space of containerd, in the one hierarchy or in those of the controllers, deepest first. */
function groupsOf(nameSpace: string): string[] {
  const root = '/sys/fs/cgroup';
  if (!existsSync(root)) return [];
  const below = (path: string) =>
    readdirSync(path, { withFileTypes: true }).flatMap((each) => (each.isDirectory() ? join(path, each.name) : []));
  const own = [root, ...below(root)].map((path) => join(path, nameSpace)).filter((path) => existsSync(path));
  return own.flatMap((path) => [...below(path), path]);
}

function isRemoved(group: string): boolean {
  try {
    rmdirSync(group);
  } catch (error) {
    if (isSystemError(error, 'EBUSY')) return false;
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
  return true;
}

function kill(pid: string): void {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}

function shell(script: string, cwd: string): void {
  mkdirSync(cwd, { recursive: true });
  const { status, stderr } = spawnSync('sh', ['-ec', script], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}
