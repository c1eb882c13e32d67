import { display, fromBuffer } from '../../../base/bytes.js';
import type { BytePath } from '../../../base/bytes.js';
import { unsafe, unsupported } from './errors.js';

/** The records of an extended header, byte for byte. Keys as byte strings. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

export interface ExtendedHeader {
  readonly records: PaxRecords;
  /** The values of `GNU.sparse.offset` and `GNU.sparse.numbytes`, the only keys that may repeat, in their order. */
  readonly sparsePairs: readonly (readonly [offset: string, size: string])[];
}

export const noExtendedHeader: ExtendedHeader = { records: new Map(), sparsePairs: [] };

/**
 * The content of an extended header: records "LENGTH KEY=VALUE\n", the length counting all of that (pax(1), "pax
 * Extended Header").
 */
export function parseRecords(bytes: Buffer, called: string): ExtendedHeader {
  const records = new Map<string, Buffer>();
  const sparsePairs: [string, string][] = [];
  let offset: string | undefined;
  for (let at = 0; at < bytes.length;) {
    const { key, value, end } = recordAt(bytes, at, called);
    at = end;
    if (key === 'GNU.sparse.offset') offset = value.toString('latin1');
    else if (key === 'GNU.sparse.numbytes') {
      sparsePairs.push([offset ?? '', value.toString('latin1')]);
      offset = undefined;
    } else records.set(key, value);
  }
  return { records, sparsePairs };
}

function recordAt(bytes: Buffer, at: number, called: string): { key: string; value: Buffer; end: number } {
  const space = bytes.indexOf(0x20, at);
  // A valid length has few digits: the search for the space is bounded.
  const digits = space < 0 || space - at > 10 ? '' : bytes.toString('latin1', at, space);
  const end = at + (/^\d+$/.test(digits) ? Number(digits) : Number.NaN);
  const equals = bytes.indexOf(0x3d, space);
  if (!(end > space) || end > bytes.length || equals < 0 || equals >= end || bytes[end - 1] !== 0x0a)
    throw unsafe(`${called} is malformed at byte ${at}`);
  return { key: fromBuffer(bytes.subarray(space + 1, equals)), value: bytes.subarray(equals + 1, end - 1), end };
}

/** Keys that may not be in a global header: each member must have its own, or none. */
const ownAlone =
  /^(path|linkpath|size|GNU\.sparse\..*|SCHILY\.(xattr|acl)\..*|LIBARCHIVE\.xattr\..*|RHT\.security\.selinux)$/;
const ofAll = new Set(['uid', 'gid', 'mtime']);

/**
 * The records of a global header that Lamina uses; they apply to the members after it. An empty value cancels an
 * earlier one.
 */
export function addGlobal(before: PaxRecords, { records, sparsePairs }: ExtendedHeader): PaxRecords {
  const continued = records.get('GNU.volume.filename');
  if (continued !== undefined) throw continuedMember(fromBuffer(continued));
  const all = new Map(before);
  const key = sparsePairs.length > 0 ? 'GNU.sparse.offset' : [...records.keys()].find((each) => ownAlone.test(each));
  if (key !== undefined) throw unsafe(`a global header of it states ${display(key)} for all members`);
  for (const [name, value] of records) {
    if (!ofAll.has(name)) continue;
    if (value.length === 0) all.delete(name);
    else all.set(name, Buffer.from(value));
  }
  return all;
}

/** The archive is not the first volume of several. */
export function continuedMember(name: BytePath): Error {
  return unsupported(
    `${display(name)} is continued from another volume`,
    'give one archive: unpack the volumes with tar --multi-volume, and import the directory',
  );
}
