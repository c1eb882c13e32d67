import { closeSync, linkSync, openSync, writeSync } from 'node:fs';
import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, failed, messageOf, spaceHint } from '../base/errors.js';
import type { Entry } from '../changeset/index.js';
import { stagedStep } from '../platform/durable.js';
import { makePlainDirectory, setExactly } from '../platform/exact.js';
import { readXattrsSync } from '../platform/native.js';
import { openFlags } from '../platform/open-flags.js';
import { walk } from '../platform/walk.js';
import { isMark, markNamespace } from './marks.js';
import { withReach } from './reach.js';
import type { Reach } from './reach.js';
import type { FileStats } from '../platform/native.js';

/** How a copy of a tree is to differ from it. */
export interface TreeEdits {
  /** Left out, each with all below it. */
  readonly without: ReadonlySet<BytePath>;
  /** New attributes of directories; '' is the root. */
  readonly directories: ReadonlyMap<BytePath, Entry>;
  /** New content and attributes of files. */
  readonly files: ReadonlyMap<BytePath, { readonly content: Uint8Array; readonly attributes: Entry }>;
}

/** A directory, which gets its attributes after its content. */
interface Made {
  readonly path: BytePath;
  /** Of the one that it is like. */
  readonly stats: FileStats;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/**
 * Makes a tree like `from`, with all overlay marks, but for the edits. Everything but directories is linked (link(2)),
 * so no content is copied: valid only if `from` is removed once the new tree is published. Not durable.
 * @throws LaminaError failed, with the path; what was made so far is left
 */
export function cloneTree(from: BytePath, to: BytePath, edits: TreeEdits): void {
  withReach(to, (tree) => {
    clone(from, tree, edits);
  });
}

function clone(from: BytePath, to: Reach, { without, directories, files }: TreeEdits): void {
  const made: Made[] = [];
  for (const { path, at, stats } of walk(from, { enter: (entry) => !without.has(entry.path) })) {
    if (without.has(path)) continue;
    try {
      stagedStep(path);
      const file = files.get(path);
      if (stats.isDirectory()) {
        to.at(path, makePlainDirectory);
        made.push({ path, stats, xattrs: readXattrsSync(at) });
      } else if (file === undefined) to.at(path, (target) => linkSync(at, target));
      else writeFile(to, path, file);
    } catch (error) {
      throw cannotMake(to.tree, path, error);
    }
  }
  // Deepest first: creating entries in a directory changes its times, and its mode may forbid it.
  for (const each of made.reverse()) finishDirectory(to, each, directories.get(each.path));
}

function finishDirectory(to: Reach, { path, stats, xattrs }: Made, edited: Entry | undefined): void {
  to.at(path, (at) => {
    setExactly(at, {
      uid: edited?.uid ?? Number(stats.uid),
      gid: edited?.gid ?? Number(stats.gid),
      mode: edited?.mode ?? Number(stats.mode & 0o7777n),
      mtimeNs: edited?.mtimeNs ?? stats.mtimeNs,
      xattrs: edited === undefined ? xattrs : new Map([...marksIn(xattrs), ...edited.xattrs]),
    });
  });
}

function marksIn(xattrs: ReadonlyMap<string, Buffer>): [string, Buffer][] {
  return [...xattrs].filter(([name]) => isMark(name, markNamespace()));
}

function writeFile(
  to: Reach,
  path: BytePath,
  { content, attributes }: { content: Uint8Array; attributes: Entry },
): void {
  const flags = openFlags.create;
  const descriptor = to.at(path, (at) => openSync(at, flags, 0o600));
  try {
    for (let done = 0; done < content.length;) done += writeSync(descriptor, content, done);
    const { uid, gid, mode, xattrs, mtimeNs } = attributes;
    setExactly(descriptor, { uid, gid, mode, xattrs, mtimeNs });
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
