import { openSync } from 'node:fs';
import { display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { damaged, failed, messageOf } from '../../base/errors.js';
import type { Entry, Place } from '../../changeset/index.js';
import { openFlags } from '../../platform/open-flags.js';
import { readingAhead } from '../../platform/read-ahead.js';
import { Reach, markNamespace, unescapeMark } from '../../store/index.js';
import { tarBytes } from '../tar/write.js';
import type { TarMemberToWrite } from '../tar/write.js';
import type { TarHeader } from '../tar/header.js';
import { memberName } from './members.js';
import type { Member } from './members.js';

/**
 * Attributes that belong to this machine and not to the content: labels of SELinux (umoci(1) and podman(1) leave them
 * out, too), and notes of Lamina.
 */
const ofThisMachine = /^(?:security\.selinux|(?:trusted|user)\.lamina\..*)$/;

/**
 * The archive of members of a view.
 * @param trees of the view's stack, newest first
 * @throws LaminaError damaged: content is missing; failed: a tree cannot be read
 */
export function* archiveOf(members: Iterable<Member>, trees: readonly BytePath[]): Generator<Buffer, void, undefined> {
  const reaches = trees.map((tree) => new Reach(tree));
  try {
    yield* tarBytes(toWrite(readingAhead(members, placeIn(reaches)), reaches));
  } finally {
    for (const reach of reaches) reach.close();
  }
}

/** Where the content of a member lies. */
const placeIn =
  (reaches: readonly Reach[]) =>
  (member: Member): Buffer | undefined => {
    if (member.kind !== 'entry' || member.entry.type !== 'file' || member.data === undefined) return undefined;
    return reaches[member.data.layer]?.lasting(member.data.path);
  };

function* toWrite(members: Iterable<Member>, reaches: readonly Reach[]): Generator<TarMemberToWrite, void, undefined> {
  for (const member of members) {
    if (member.kind === 'entry' && member.entry.type === 'file' && member.entry.size > 0)
      yield {
        header: entryHeader(member.path, member.entry),
        open: () => openContent(member.path, member.data, reaches),
      };
    else yield { header: headerOf(member) };
  }
}

function openContent(path: BytePath, data: Place | undefined, reaches: readonly Reach[]): number {
  const reach = data === undefined ? undefined : reaches[data.layer];
  if (data === undefined || reach === undefined)
    throw damaged(`the content of /${display(path)} is missing: it was copied up in part`, {
      code: 'CONTENT_MISSING',
      hint: 'run lamina verify',
    });
  try {
    return reach.at(data.path, (at) => openSync(at, openFlags.read));
  } catch (error) {
    throw failed(`cannot read /${display(path)}: ${messageOf(error)}`, { code: 'READ_FAILED', cause: error });
  }
}

const plainMark = { type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n, target: '' } as const;
const noDevice = { major: 0, minor: 0 } as const;

function headerOf(member: Member): TarHeader {
  switch (member.kind) {
    case 'whiteout':
    case 'opaque':
      return { ...plainMark, ...noDevice, path: memberName(member), xattrs: new Map() };
    case 'link': {
      const { mode, uid, gid, mtimeNs } = member.entry;
      const { path, to } = member;
      return { path, type: 'link', mode, uid, gid, size: 0, mtimeNs, target: to, ...noDevice, xattrs: new Map() };
    }
    case 'entry':
      return entryHeader(member.path, member.entry);
  }
}

function entryHeader(path: BytePath, entry: Entry): TarHeader {
  const { type, mode, uid, gid, mtimeNs, target } = entry;
  if (type === 'whiteout' || type === 'socket') throw new Error(`an archive cannot hold a ${type}`);
  const isDevice = type === 'block' || type === 'character';
  return {
    path,
    type,
    mode,
    uid,
    gid,
    size: type === 'file' ? entry.size : 0,
    mtimeNs,
    target,
    major: isDevice ? entry.rdevMajor : 0,
    minor: isDevice ? entry.rdevMinor : 0,
    xattrs: contentAttributes(entry.xattrs),
  };
}

/** With the names that they have in a container: what was escaped in the store is not escaped outside of it. */
function contentAttributes(stored: Entry['xattrs']): Entry['xattrs'] {
  if (stored.size === 0) return stored;
  const namespace = markNamespace();
  return new Map(
    [...stored]
      .filter(([name]) => !ofThisMachine.test(name))
      .map(([name, value]) => [unescapeMark(name, namespace), value] as const),
  );
}
