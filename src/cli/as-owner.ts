import { spawn, spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { statSync } from 'node:fs';
import { constants } from 'node:os';
import { display, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError } from '../base/errors.js';
import { relayedSignals } from '../base/signals.js';
import { spawnable } from '../platform/words.js';
import { progressDescriptor } from './progress-fd.js';
import { write } from './stream.js';

const nogroup = 65534;

/**
 * A store belongs to its owner alone: root uses other overlay marks, and must not follow what another user put into a
 * directory. For `sudo lamina` to work, root acts on a user's store as that user: the same command again, in a process
 * that never was root, in a session of its own, so that it has no access to root's terminal. Returns if the caller owns
 * the store, or must be refused.
 */
export async function workAsOwner(root: BytePath): Promise<void> {
  const uid = process.getuid?.() === 0 ? ownerOf(root) : undefined;
  if (uid === undefined || uid === 0) return;
  write('stderr', `lamina: the store ${display(root)} belongs to user ${uid}: running as that user\n`);
  process.exit(await runAs(uid, root));
}

function ownerOf(root: BytePath): number | undefined {
  try {
    return statSync(toBuffer(root)).uid;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** The variables of root's environment that are not about root. */
function plainEnvironment(root: BytePath): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) =>
    /^(PATH|TERM|LANG|LC_.*|LAMINA_.*|SOURCE_DATE_EPOCH)$/.test(name),
  );
  return { ...Object.fromEntries(kept.map(([name, value]) => [name, value ?? ''])), LAMINA_STORE: toText(root) };
}

/** The groups of a user, none for a user without a name: never those of a directory, which may be root's. */
function groupsOf(uid: number): string[] {
  const { status, stdout } = spawnSync('getent', ['passwd', String(uid)], { encoding: 'utf8' });
  const gid = status === 0 ? stdout.split(':')[3] : undefined;
  return gid === undefined ? [`--regid=${nogroup}`, '--clear-groups'] : [`--regid=${gid}`, '--init-groups'];
}

/** The standard streams, and the descriptor of --progress-fd under its own number. */
function passedStreams(): StdioOptions {
  const progress = progressDescriptor();
  if (progress === undefined) return 'inherit';
  return Array.from({ length: progress + 1 }, (_, at) => (at <= 2 || at === progress ? at : 'ignore'));
}

async function runAs(uid: number, root: BytePath): Promise<number> {
  const { commandLine } = await import('../platform/command-line.js');
  const drop = [`--reuid=${uid}`, ...groupsOf(uid)];
  const words = [...drop, '--inh-caps=-all', process.execPath, ...commandLine().slice(1)];
  const { command, args } = spawnable({ command: 'setpriv', args: words });
  const child = spawn(command, args, { stdio: passedStreams(), detached: true, env: plainEnvironment(root) });
  for (const name of relayedSignals) process.on(name, () => child.kill(name));
  return new Promise<number>((resolve, reject) => {
    child.on('error', (error) => {
      reject(failed(`cannot run as user ${uid}: ${error.message}`, { hint: 'install setpriv (Debian: util-linux)' }));
    });
    child.on('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
