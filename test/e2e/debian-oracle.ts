import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = realpathSync(join(dirname(fileURLToPath(import.meta.url)), '..', '..'));

export const debianTar = join(checkout, 'build/images/debian.tar');
export const debianUpgrade = join(checkout, 'build/images/debian-upgrade');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('latin1')));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('latin1')));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** Runs a program to its end; a failure carries the last lines that it wrote. */
export async function succeed(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const done = await start(command, args, env);
  if (done.code === 0) return done.stdout;
  const last = `${done.stdout}\n${done.stderr}`.trim().split('\n').slice(-20).join('\n');
  throw new Error(`${command} ${args.join(' ')} ended with ${String(done.code)}:\n${last}`);
}

/** The checkout's lamina on one store, beside which it mounts. */
export function laminaOn(store: string) {
  const program = join(checkout, 'scripts/lamina');
  const env = { ...process.env, LAMINA_STORE: store };
  const run = (...args: string[]) => succeed(program, args, env);
  return {
    run,
    attempt: (...args: string[]) => start(program, args, env),
    json: async (...args: string[]) => JSON.parse(await succeed(program, ['--json', ...args], env)) as unknown,
    inside: (container: string, script: string) => run('run', container, '--', 'sh', '-ec', script),
    /** Does something with the root of a container while it is mounted. */
    mounted: async <T>(container: string, act: (root: string) => T | Promise<T>): Promise<T> => {
      const root = join(dirname(store), 'mnt', container);
      mkdirSync(root, { recursive: true });
      await run('mount', container, root);
      try {
        return await act(root);
      } finally {
        await run('umount', container);
      }
    },
  };
}

export async function buildDebian(): Promise<void> {
  await succeed(join(checkout, 'images/debian/build'), []);
}

/** A tree as GNU cp copies it: owners, times, hard links, attributes. */
export async function copyTree(from: string, to: string): Promise<void> {
  await succeed('cp', ['--archive', '--reflink=auto', from, to]);
}

/**
 * Runs the upgrade in a flat tree, with bubblewrap alone and the sandbox that servicing promises: the expected result,
 * made without any of the code under test.
 */
export async function upgradeFlat(root: string): Promise<void> {
  const isolation = [
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-net',
    '--unshare-uts',
    '--die-with-parent',
    '--new-session',
  ];
  const mounts = ['--bind', root, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/run', '--tmpfs', '/tmp'];
  const program = ['--ro-bind', debianUpgrade, '/run/update', '--chdir', '/', '/run/update/upgrade'];
  await succeed('bwrap', [...isolation, ...mounts, ...program], {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
  });
}

/** Unmounts everything below a directory, the innermost first. Quiet where nothing is mounted. */
export function unmountBelow(directory: string): void {
  const table = spawnSync('findmnt', ['--list', '--noheadings', '--output', 'TARGET'], { encoding: 'utf8' }).stdout;
  const points = table.split('\n').filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.sort().reverse()) spawnSync('umount', ['--lazy', point]);
}
