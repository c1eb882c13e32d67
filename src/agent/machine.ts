import { lstatSync, readFileSync } from 'node:fs';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, isSystemError, messageOf, refused } from '../base/errors.js';
import { machineOf, newPrivateKey } from '../fleet/index.js';
import type { Machine } from '../fleet/index.js';
import { makeDirectoryDurably, writeFileDurably } from '../platform/durable.js';
import { isThereSync } from '../platform/walk.js';
import type { AgentPaths } from '../store/index.js';

const secret = 0o600;

/** The machine that this store is; it gets its key where it has none. @throws LaminaError damaged, refused */
export async function makeMachine(paths: AgentPaths): Promise<Machine> {
  for (const directory of [paths.directory, paths.bases])
    if (!isThereSync(directory)) await makeDirectoryDurably(directory, 0o700);
  const found = readMachine(paths);
  if (found !== undefined) return found;
  const pem = newPrivateKey();
  await writeFileDurably(paths.key, pem, { mode: secret });
  return machineOf(pem);
}

/** Undefined: it has no key yet. @throws LaminaError damaged: the key; refused: others may read it */
export function readMachine({ key }: AgentPaths): Machine | undefined {
  let pem: string;
  try {
    pem = readFileSync(toBuffer(key), 'utf8');
    refuseReadable(key);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return machineOf(pem);
  } catch (error) {
    throw damaged(`${display(key)} is not the key of a machine: ${messageOf(error)}`, {
      code: 'MACHINE_KEY_DAMAGED',
      hint: 'restore it from a backup, or remove it: then this machine gets a new id, and must be enrolled again',
      cause: error,
    });
  }
}

function refuseReadable(key: BytePath): void {
  const { mode } = lstatSync(toBuffer(key));
  if ((mode & 0o077) === 0) return;
  throw refused(`other users may read the private key ${display(key)}`, {
    code: 'KEY_READABLE',
    hint: `if that may have happened, remove it and enroll the machine again; else: chmod 600 ${display(key)}`,
  });
}
