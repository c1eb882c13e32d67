import { gunzipSync, gzipSync } from 'node:zlib';
import { limits } from '../base/limits.js';
import { mergeKeyed } from './keyed.js';
import type { Records } from './keyed.js';
import { Clash, OtherFormat, TooLarge, quoted } from './outcome.js';
import type { Versions } from './outcome.js';

const block = 512;

/** A member of a tar: its content, and all its bytes with the header that gives it a long name. */
interface Member {
  readonly content: string;
  readonly whole: Uint8Array;
}

/**
 * apk's scripts.tar: a file for each script of a package, whose name says which package, version and checksum it is of.
 * Of the headers only the names count: apk writes the time of day into the others.
 * @throws Clash; OtherFormat: it is no tar of plain files
 */
export function mergeApkScripts({ base, ours, theirs }: Versions): Uint8Array {
  const [b, o, t] = [base === undefined ? new Map<string, Member>() : read(base), read(ours), read(theirs)];
  const merged = mergeKeyed(contents(b), contents(o), contents(t), (name, _base, own, other) => {
    // What is left of a script that one side removed would run for a package that is not there.
    if (own === undefined || other === undefined) return undefined;
    throw new Clash(`the script ${quoted(name)} has two versions`);
  });
  const members = [...merged].map(([name, content]) => (o.get(name)?.content === content ? o : t).get(name)?.whole);
  const tar = Buffer.concat([...members.filter((each) => each !== undefined), Buffer.alloc(2 * block)]);
  return isGzip(ours) ? gzipSync(tar) : tar;
}

const contents = (members: ReadonlyMap<string, Member>): Records =>
  new Map([...members].map(([name, { content }]) => [name, content]));

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

function read(bytes: Uint8Array): ReadonlyMap<string, Member> {
  const tar = unpacked(bytes);
  const members = new Map<string, Member>();
  let [start, longName] = [0, ''];
  for (let at = 0; at < tar.length && tar[at] !== 0;) {
    const header = tar.subarray(at, at + block);
    const size = sizeIn(header);
    const content = text(tar, at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
    if (at > tar.length) throw new OtherFormat('it is cut off');
    const type = text(header, 156, 157);
    if (type === 'L') {
      longName = upToZero(content);
      continue;
    }
    if (type !== '0' && type !== '\0') throw new OtherFormat('a member is no file');
    const name = longName || upToZero(text(header, 0, 100));
    if (members.has(name)) throw new OtherFormat(`${name} occurs twice`);
    members.set(name, { content, whole: tar.subarray(start, at) });
    [start, longName] = [at, ''];
  }
  return members;
}

function unpacked(bytes: Uint8Array): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: limits.mergedRecords.value });
  } catch (error) {
    if (error instanceof RangeError) throw new TooLarge(limits.mergedRecords);
    throw new OtherFormat('it is no gzip', { cause: error });
  }
}

function sizeIn(header: Uint8Array): number {
  if (text(header, 257, 262) !== 'ustar') throw new OtherFormat('it is no tar');
  const digits = /^[0-7]+/.exec(text(header, 124, 136).trimStart())?.[0];
  if (digits === undefined) throw new OtherFormat('a member has no size');
  return Number.parseInt(digits, 8);
}

const text = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.subarray(from, to)).toString('latin1');

const upToZero = (value: string): string => value.replace(/\0.*/s, '');
