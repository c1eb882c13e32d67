import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, failed, messageOf, spaceHint } from '../base/errors.js';
import type { Entry } from '../changeset/index.js';
import { stagedStep } from '../platform/durable.js';
import { readXattrsSync, removeXattrSync, setTimesSync, setXattrSync } from '../platform/native.js';
import { walk } from '../platform/walk.js';
import { isMark, markNamespace } from './marks.js';
import { reach } from './reach.js';

/** How a copy of a tree is to differ from it. */
export interface TreeEdits {
  /** Left out, each with all below it. */
  readonly without: ReadonlySet<BytePath>;
  /** New attributes of directories; '' is the root. */
  readonly directories: ReadonlyMap<BytePath, Entry>;
  /** New content and attributes of files. */
  readonly files: ReadonlyMap<BytePath, { readonly content: Uint8Array; readonly attributes: Entry }>;
}

interface Made {
  readonly path: BytePath;
  readonly stats: BigIntStats;
  readonly attributes: Entry | undefined;
}

/**
 * Makes a tree like `from`, with all overlay marks, but for the edits. What is no directory is linked (link(2)), so no content is copied: right only where `from` goes
 * once the new tree is published. Not durable.
 * @throws LaminaError failed, with the path; what was made so far stays
 */
export function cloneTree(from: BytePath, to: BytePath, { without, directories, files }: TreeEdits): void {
  const made: Made[] = [];
  for (const { path, at, stats } of walk(from, { enter: (entry) => !without.has(entry.path) })) {
    if (without.has(path)) continue;
    try {
      stagedStep(path);
      const file = files.get(path);
      if (stats.isDirectory()) {
        makeDirectory(to, path, at);
        made.push({ path, stats, attributes: directories.get(path) });
      } else if (file === undefined) reach(to, path, (target) => linkSync(at, target));
      else writeFile(to, path, file);
    } catch (error) {
      throw cannotMake(to, path, error);
    }
  }
  // Deepest first: what is made in a directory changes its times, and its mode may forbid it.
  for (const each of made.reverse()) finishDirectory(to, each);
}

function makeDirectory(to: BytePath, path: BytePath, from: Buffer): void {
  reach(to, path, (at) => {
    mkdirSync(at, { mode: 0o700 });
    for (const [name, value] of readXattrsSync(from)) setXattrSync(at, name, value);
  });
}

function finishDirectory(to: BytePath, { path, stats, attributes }: Made): void {
  reach(to, path, (at) => {
    lchownSync(at, attributes?.uid ?? Number(stats.uid), attributes?.gid ?? Number(stats.gid));
    if (attributes !== undefined) replaceXattrs(at, attributes);
    chmodSync(at, attributes?.mode ?? Number(stats.mode & 0o7777n));
    setTimesSync(at, { mtimeNs: attributes?.mtimeNs ?? stats.mtimeNs });
  });
}

/** Marks stay. */
function replaceXattrs(at: Buffer, { xattrs }: Entry): void {
  for (const name of readXattrsSync(at).keys())
    if (!xattrs.has(name) && !isMark(name, markNamespace())) removeXattrSync(at, name);
  for (const [name, value] of xattrs) setXattrSync(at, name, Buffer.from(value));
}

function writeFile(
  to: BytePath,
  path: BytePath,
  { content, attributes }: { content: Uint8Array; attributes: Entry },
): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const descriptor = reach(to, path, (at) => openSync(at, flags, 0o600));
  try {
    for (let done = 0; done < content.length;) done += writeSync(descriptor, content, done);
    // After the data: a write takes setuid and capabilities away. After the owner: so does a chown.
    fchownSync(descriptor, attributes.uid, attributes.gid);
    for (const [name, value] of attributes.xattrs) setXattrSync(descriptor, name, Buffer.from(value));
    fchmodSync(descriptor, attributes.mode);
    setTimesSync(descriptor, { mtimeNs: attributes.mtimeNs });
  } finally {
    closeSync(descriptor);
  }
}

function cannotMake(to: BytePath, path: BytePath, error: unknown): LaminaError {
  if (error instanceof LaminaError) return error;
  return failed(`cannot write ${display(path)} of ${display(to)}: ${messageOf(error)}`, {
    code: 'WRITE_FAILED',
    ...spaceHint(error),
    cause: error,
  });
}
