import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { components, display, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError } from '../../base/errors.js';
import { setTimesSync } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import type { NetworkFile, SandboxPlan } from './plan.js';
import type { MountedRoot } from './reader.js';

/** What must exist in a root before its sandbox can be made. */
export interface RootAdditions {
  readonly directories: readonly BytePath[];
  readonly files: readonly { readonly path: BytePath; readonly content: Buffer }[];
}

/** @param hostName of the sandbox */
export function additionsOf({ mountPoints, network }: SandboxPlan, hostName: string): RootAdditions {
  const files = network.filter(({ inMount }) => !inMount).flatMap((file) => filled(file, hostName));
  return {
    directories: [...mountPoints.missing, ...mountPoints.blocked.map((name) => mountPoints.paths[name])],
    files,
  };
}

export const addsNothing = ({ directories, files }: RootAdditions): boolean =>
  directories.length === 0 && files.length === 0;

/** A file with its content; undefined where the host has none. */
export function filled(file: NetworkFile, hostName: string): { path: BytePath; content: Buffer }[] {
  const content = file.name === 'hosts' ? hostsFile(hostName) : hostResolver();
  return content === undefined ? [] : [{ path: file.path, content }];
}

function hostsFile(hostName: string): Buffer {
  return Buffer.from(`127.0.0.1\tlocalhost\n127.0.1.1\t${hostName}\n::1\tlocalhost ip6-localhost ip6-loopback\n`);
}

/** Name resolution is the host's while the network is the host's. */
export function hostResolver(): Buffer | undefined {
  try {
    return readFileSync('/etc/resolv.conf');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Writes into a root what its sandbox needs, replacing what is in the way. For a root whose upper is discarded, or from
 * which it is removed afterwards.
 * @param root mounted without a read set or journal
 */
export function addToRoot(root: MountedRoot, { directories, files }: RootAdditions): void {
  for (const path of directories) makeDirectory(root, path);
  for (const { path, content } of files) writeFile(root, path, content);
}

function makeDirectory(root: MountedRoot, path: BytePath): void {
  makeParents(root, path);
  const entry = root.entry(path);
  if (entry?.type === 'directory') return;
  at(root, path, (name) => {
    if (entry !== undefined) unlinkSync(name);
    mkdirSync(name);
    const made = openSync(name, openFlags.directory);
    try {
      fchmodSync(made, 0o755);
    } finally {
      closeSync(made);
    }
  });
}

function makeParents(root: MountedRoot, path: BytePath): void {
  const names = components(path);
  for (let length = 1; length < names.length; length++) makeDirectory(root, join(...names.slice(0, length)));
}

/** An existing file keeps its attributes and times. */
function writeFile(root: MountedRoot, path: BytePath, content: Buffer): void {
  makeParents(root, path);
  at(root, path, (name) => {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const isNew = root.entry(path) === undefined;
    const descriptor = openSync(name, flags, 0o644);
    try {
      const before: BigIntStats = fstatSync(descriptor, { bigint: true });
      ftruncateSync(descriptor);
      writeSync(descriptor, content);
      if (isNew) fchmodSync(descriptor, 0o644);
      else setTimesSync(descriptor, { mtimeNs: before.mtimeNs });
    } finally {
      closeSync(descriptor);
    }
  });
}

/** The directory keeps its times: it stays in the upper if the run writes there too. */
function at(root: MountedRoot, path: BytePath, work: (name: Buffer) => void): void {
  const done = root.at(path, (name) => {
    const directory = Buffer.concat([name.subarray(0, name.lastIndexOf('/') + 1), Buffer.from('.')]);
    const { mtimeNs } = lstatSync(directory, { bigint: true });
    work(name);
    setTimesSync(directory, { mtimeNs });
    return true;
  });
  if (done !== true)
    throw failed(`cannot make ${display(path)} in the root`, {
      code: 'NO_SANDBOX',
      hint: 'another process is changing the root: try again',
    });
}
