import { basename, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { secondsOf } from '../../base/time.js';

/** A member of an archive that is written. */
export interface TarHeader {
  /** Below the archive's root; of a directory without the slash at its end. The root itself is ''. */
  readonly path: BytePath;
  readonly type: keyof typeof typeFlags;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a file's content; 0 of all others. */
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Of a symlink as it is stored; of a hard link the path of an earlier member. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  /** Names as byte strings. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

export const tarBlock = 512;

const typeFlags = {
  file: '0',
  link: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
} as const;

const nameLength = 100;
const prefixLength = 155;

/** Bytes from the end of a member's content to the next block. */
export const tarPadding = (size: number): number => (tarBlock - (size % tarBlock)) % tarBlock;

/** The two blocks of zeros that end an archive. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * tarBlock);

/**
 * The header of a member, in the form of ustar, with an extended header of pax(1) before it for what ustar cannot hold:
 * long names and targets, large numbers, times with fractions of a second, extended attributes. The same member always
 * has the same bytes; names of users and groups are left out, for they mean others elsewhere.
 */
export function encodeHeader(header: TarHeader): Buffer {
  const records = new Map<string, Buffer>();
  const name = nameOf(header);
  const place = fitName(name);
  if (place === undefined) records.set('path', toBuffer(name));
  if (header.target.length > nameLength) records.set('linkpath', toBuffer(header.target as BytePath));
  const number = (key: string, value: number, digits: number) => {
    if (value < 8 ** digits) return value;
    records.set(key, Buffer.from(String(value)));
    return 0;
  };
  const fields = {
    uid: number('uid', header.uid, 7),
    gid: number('gid', header.gid, 7),
    size: number('size', header.size, 11),
    mtime: timeField(header.mtimeNs, records),
  };
  for (const [key, value] of header.xattrs)
    records.set(`SCHILY.xattr.${key.replaceAll('%', '%25').replaceAll('=', '%3D')}`, Buffer.from(value));
  const block = ustar(header, place ?? cutName(name), fields);
  return records.size === 0 ? block : Buffer.concat([extended(name, records), block]);
}

/** Sizes from here on do not fit into the digits of the field. */
const largestOctalSize = 8 ** 11;

/**
 * The header of a file in one block, so that room for it can be kept before its size is known. A size that ustar cannot
 * hold is in base 256, as GNU tar writes it and all readers know it.
 * @param path of at most 100 bytes
 */
export function fileHeader(path: BytePath, size: number): Buffer {
  const header = { type: 'file', mode: 0o644, target: '', major: 0, minor: 0 } as const;
  const isLarge = size >= largestOctalSize;
  const fields = { uid: 0, gid: 0, size: isLarge ? 0 : size, mtime: 0 };
  const block = ustar({ ...header, uid: 0, gid: 0, size, mtimeNs: 0n }, { prefix: '', name: path }, fields);
  if (!isLarge) return block;
  block.fill(0, 124, 136);
  block[124] = 0x80;
  block.writeBigUInt64BE(BigInt(size), 128);
  return withChecksum(block);
}

function nameOf({ path, type }: TarHeader): BytePath {
  if (path === '') return './' as BytePath;
  return (type === 'directory' ? `${path}/` : path) as BytePath;
}

interface NamePlace {
  readonly prefix: string;
  readonly name: string;
}

/** Undefined: neither the name's field nor both fields hold it. */
function fitName(name: string): NamePlace | undefined {
  if (name.length <= nameLength) return { prefix: '', name };
  // What is left of the slash goes into the prefix; a slash at the end stays with the name.
  const slash = name.indexOf('/', name.length - nameLength - 1);
  if (slash <= 0 || slash > prefixLength || slash === name.length - 1) return undefined;
  return { prefix: name.slice(0, slash), name: name.slice(slash + 1) };
}

const cutName = (name: string): NamePlace => ({ prefix: '', name: name.slice(0, nameLength) });

/** The seconds for the header's field; the exact time goes into a record where the field does not hold it. */
function timeField(mtimeNs: bigint, records: Map<string, Buffer>): number {
  const [seconds, nanoseconds] = secondsOf(mtimeNs);
  const fits = seconds >= 0n && seconds < 8n ** 11n;
  if (!fits || nanoseconds !== 0n) records.set('mtime', Buffer.from(decimalSeconds(mtimeNs)));
  return fits ? Number(seconds) : 0;
}

/** As pax(1) has it: a sign, seconds, and the digits of a fraction that are not zeros at the end. */
function decimalSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

interface Fields {
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
}

function ustar(header: Omit<TarHeader, 'xattrs' | 'path'>, { prefix, name }: NamePlace, fields: Fields): Buffer {
  const block = Buffer.alloc(tarBlock);
  const octal = (at: number, length: number, value: number) =>
    block.write(value.toString(8).padStart(length - 1, '0'), at, length - 1, 'latin1');
  block.write(name, 0, nameLength, 'latin1');
  octal(100, 8, header.mode);
  octal(108, 8, fields.uid);
  octal(116, 8, fields.gid);
  octal(124, 12, fields.size);
  octal(136, 12, fields.mtime);
  block.write(typeFlags[header.type], 156, 'latin1');
  if (header.target.length <= nameLength) block.write(header.target, 157, nameLength, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(329, 8, header.major);
  octal(337, 8, header.minor);
  block.write(prefix, 345, prefixLength, 'latin1');
  return withChecksum(block);
}

function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0`, 148, 'latin1');
  return block;
}

/** An extended header with its records in byte order of their keys. */
function extended(name: BytePath, records: ReadonlyMap<string, Buffer>): Buffer {
  const keys = [...records.keys()].sort();
  const body = Buffer.concat(keys.map((key) => record(key, records.get(key) ?? Buffer.alloc(0))));
  const called = basename(name.replace(/\/$/, '') as BytePath);
  const header = { type: 'file', mode: 0o644, target: '', major: 0, minor: 0 } as const;
  const block = ustar(
    { ...header, uid: 0, gid: 0, size: body.length, mtimeNs: 0n },
    cutName(`PaxHeaders.0/${called}`),
    { uid: 0, gid: 0, size: body.length, mtime: 0 },
  );
  block.write('x', 156, 'latin1');
  return Buffer.concat([withChecksum(block), body, Buffer.alloc(tarPadding(body.length))]);
}

/** "LENGTH KEY=VALUE\n", the length counting all of that, itself included. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let digits = 1;
  while (String(rest.length + digits).length > digits) digits += 1;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}
