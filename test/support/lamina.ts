import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkDocument } from './documents.js';
import { madeOnce, madeOnceAsync } from './made-once.js';
import { snapshot } from './tree.js';
import type { Snapshot } from './tree.js';

export { copyTree } from './made-once.js';
export { differences } from './tree.js';
export type { Snapshot };

export const checkout = realpathSync(join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
export const isRoot = process.getuid?.() === 0;

/** Whether this user may mount by FUSE: root, or whoever may open the device and has FUSE's set-user-ID helper. */
export const mayMount = isRoot || (mayOpenFuse() && spawnSync('fusermount3', ['--version']).status === 0);

function mayOpenFuse(): boolean {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when standard error or output holds a text. */
  said(text: string): Promise<void>;
}

interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Of standard input, which is then closed; undefined given: it stays open. */
  readonly input?: string | undefined;
  /** A wrapper: the program and arguments that run the command. */
  readonly through?: readonly string[];
}

export function start(command: string, args: readonly string[], options: StartOptions = {}): Started {
  const [program = command, ...rest] = [...(options.through ?? []), command, ...args];
  const child = spawn(program, rest, { env: options.env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  const waiting: { text: string; resolve: () => void }[] = [];
  const heard = () => {
    for (const { text, resolve } of waiting) if (stderr.includes(text) || stdout.includes(text)) resolve();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('latin1');
    heard();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
    heard();
  });
  child.stdin.on('error', () => undefined);
  if (!('input' in options) || options.input !== undefined) child.stdin.end(options.input ?? '');
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const said = (text: string) =>
    Promise.race([
      new Promise<void>((resolve) => {
        waiting.push({ text, resolve });
        heard();
      }),
      finished.then(() => {
        if (!stderr.includes(text) && !stdout.includes(text)) throw new Error(`it never said '${text}':\n${stderr}`);
      }),
    ]);
  return { child, finished, said };
}

/** Runs any command to its end, however it ends. */
export async function run(command: string, args: readonly string[]): Promise<Finished> {
  return start(command, args).finished;
}

/** A scratch directory with a store in it; all that is mounted below goes with it. */
export class World {
  readonly directory: string;
  readonly store: string;
  readonly cli = join(checkout, 'dist/lamina.js');
  readonly #env: NodeJS.ProcessEnv;

  constructor(name: string, store = 'store') {
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), `lamina-${name}-`)));
    this.store = join(this.directory, store);
    this.#env = { ...process.env, LAMINA_STORE: this.store };
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  /** An empty directory of this name. */
  makeDirectory(...parts: string[]): string {
    const path = this.path(...parts);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** An executable script; a shell's, unless it begins with a `#!` of its own. */
  script(name: string, text: string, mode = 0o755): string {
    const path = join(this.makeDirectory('scripts'), name);
    rmSync(path, { force: true });
    writeFileSync(path, text.startsWith('#!') ? text : `#!/bin/sh\nset -e\n${text}\n`, { mode });
    return path;
  }

  /** Makes the store, with the tiny root as the base `tiny`; that root is at path('tiny'). */
  async initWithTiny(): Promise<void> {
    const tiny = buildTiny(this.path('tiny'));
    await madeOnceAsync('store-with-tiny', this.store, async () => {
      await this.run('init');
      await this.run('base', 'import', 'tiny', tiny);
    });
  }

  start(args: readonly string[], options: StartOptions = {}): Started {
    return start(process.execPath, [this.cli, ...args], {
      ...options,
      env: { ...this.#env, ...options.env },
    });
  }

  /** Runs a command of lamina, however it ends. What --json prints must be the command's document. */
  async attempt(...args: string[]): Promise<Finished> {
    const done = await this.start(args).finished;
    if (args[0] === '--json') checkDocument(args.slice(1), done.stdout);
    return done;
  }

  /** Runs a command that must end well. */
  async run(...args: string[]): Promise<string> {
    const done = await this.attempt(...args);
    if (done.code !== 0) throw new Error(`lamina ${args.join(' ')} ended with ${String(done.code)}:\n${done.stderr}`);
    return done.stdout;
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(Buffer.from(await this.run('--json', ...args), 'latin1').toString('utf8')) as T;
  }

  /** A shell script in a container's root. */
  async inside(container: string, script: string): Promise<string> {
    return this.run('run', container, '--', 'sh', '-ec', script);
  }

  /** Does something with a container's root while it is mounted. */
  async mounted<T>(container: string, work: (root: string) => T | Promise<T>): Promise<T> {
    const root = this.makeDirectory('mnt', container);
    await this.run('mount', container, root);
    try {
      return await work(root);
    } finally {
      await this.run('umount', container);
    }
  }

  /** Does something with the roots of some containers, in their order, while all of them are mounted. */
  async mountedTogether<T>(containers: readonly string[], work: (roots: readonly string[]) => T): Promise<T> {
    const roots = containers.map((container) => this.makeDirectory('mnt', container));
    const lines = containers.map((container, i) => `${container} ${roots[i] ?? ''} lamina store=${this.store} 0 0\n`);
    writeFileSync(this.path('fstab'), lines.join(''));
    await this.run('mount', '--all', '--fstab', this.path('fstab'));
    try {
      return work(roots);
    } finally {
      await this.run('umount', '--all');
    }
  }

  /** All that the roots of some containers hold, in their order. */
  async lookAll(containers: readonly string[]): Promise<Snapshot[]> {
    return this.mountedTogether(containers, (roots) => roots.map((root) => snapshot(root)));
  }

  /** All that a container's root holds. */
  async look(container: string): Promise<Snapshot> {
    return this.mounted(container, (root) => snapshot(root));
  }

  /**
   * All that the store holds, to the last attribute, except the text in the lock, which says who had it last, and what
   * is on record of updates that ended.
   */
  storeContent(): Snapshot {
    const content = snapshot(this.store);
    content.set('/lock', 'a lock');
    for (const path of content.keys()) if (path.startsWith('/history')) content.delete(path);
    return content;
  }

  snapshotOf(directory: string): Snapshot {
    return snapshot(directory);
  }

  manifest(): string {
    return readFileSync(join(this.store, 'manifest.json'), 'utf8');
  }

  mounts(): string[] {
    return mountPoints().filter((point) => point.startsWith(`${this.directory}/`));
  }

  remove(): void {
    const [program, ...options] = isRoot ? ['umount', '--lazy'] : ['fusermount3', '-u', '-z', '--'];
    for (const point of this.mounts().reverse()) spawnSync(program, [...options, point]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function mountPoints(): string[] {
  const table = readFileSync('/proc/self/mountinfo', 'utf8');
  return table.split('\n').flatMap((line) => line.split(' ')[4] ?? []);
}

/**
 * Compiles a program of C, or of C++ (.cc), that runs in every root. @param source a path below test/support, or an
 * absolute one
 */
export function buildProgram(source: string, destination: string): void {
  const compiler = source.endsWith('.cc') ? (['g++', '-std=c++20'] as const) : (['gcc'] as const);
  const path = resolve(checkout, 'test/support', source);
  const options = [...compiler.slice(1), '-static', '-O1'];
  madeOnce(basename(path), destination, (at) => {
    const built = spawnSync(compiler[0], [...options, '-o', at, path], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
  });
}

/** Builds the tiny root: a directory, or a tar where the name ends so. */
export function buildTiny(destination: string): string {
  const ending = destination.endsWith('.tar') ? '.tar' : '';
  madeOnce(`tiny${ending}`, destination, (at) => {
    // Its name decides what is built.
    const made = `${at}${ending}`;
    const built = spawnSync(join(checkout, 'images/tiny/build'), [made], { encoding: 'utf8' });
    if (built.status !== 0 || !existsSync(made)) throw new Error(`images/tiny/build failed: ${built.stderr}`);
    if (made !== at) renameSync(made, at);
  });
  return destination;
}

/**
 * Runs a script in a flat tree, by bubblewrap alone with the sandbox that servicing promises: what is expected of an
 * update, made without any of the code under test.
 */
export function runFlat(root: string, script: string): void {
  // Without root, as in the sandbox: root of a user namespace with one user.
  const users = isRoot ? [] : ['--unshare-user', '--uid', '0', '--gid', '0'];
  const isolation = [...users, '--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--die-with-parent'];
  const mounts = ['--bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/run', '--tmpfs', '/tmp'];
  const program = ['--ro-bind', script, '/run/procedure', '--chdir', '/', '/run/procedure'];
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8', TERM: 'dumb' };
  const done = spawnSync('bwrap', [...isolation, ...mounts, ...program], { env, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`the script failed in ${root}: ${done.stderr}`);
}
