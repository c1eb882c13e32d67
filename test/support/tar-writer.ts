/** A member of an archive, to the byte: archives that no program would write, too. Strings are bytes (latin1). */
export interface Member {
  readonly name: string;
  /** tar's type flag: 0 file, 1 hard link, 2 symlink, 3 and 4 devices, 5 directory, 6 FIFO. */
  readonly type?: string;
  readonly content?: Buffer | string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly linkname?: string;
  readonly major?: number;
  readonly minor?: number;
  /** Records of an extended header before it. */
  readonly pax?: readonly (readonly [key: string, value: Buffer | string])[];
  /** Other than the content has. */
  readonly size?: number;
  readonly checksum?: number;
  /** Bytes of the header that are to be others, by where they stand; the checksum counts them. */
  readonly raw?: readonly (readonly [at: number, bytes: Buffer])[];
}

const bytes = (value: Buffer | string) => (typeof value === 'string' ? Buffer.from(value, 'latin1') : value);
const padded = (content: Buffer) => Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;

export function headerOf(member: Member, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(member.name.slice(0, 100), 0, 'latin1');
  block.write(octal(member.mode ?? (member.type === '5' ? 0o755 : 0o644), 8), 100);
  block.write(octal(member.uid ?? 0, 8), 108);
  block.write(octal(member.gid ?? 0, 8), 116);
  block.write(octal(member.size ?? size, 12), 124);
  block.write(octal(member.mtime ?? 1_700_000_000, 12), 136);
  block.write('        ', 148);
  block.write(member.type ?? '0', 156);
  block.write((member.linkname ?? '').slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(octal(member.major ?? 0, 8), 329);
  block.write(octal(member.minor ?? 0, 8), 337);
  for (const [at, raw] of member.raw ?? []) raw.copy(block, at);
  const sum = member.checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A record's length counts its own digits (pax(1)). */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** An extended header: of type `x` for the next member, of type `g` for all behind it. */
export function paxOf(records: readonly (readonly [key: string, value: Buffer | string])[], type: 'x' | 'g'): Buffer {
  const content = Buffer.concat(records.map(([key, value]) => record(key, bytes(value))));
  return Buffer.concat([headerOf({ name: 'PaxHeaders/x', type }, content.length), padded(content)]);
}

export function writeMember(member: Member): Buffer {
  const content = bytes(member.content ?? '');
  const parts: Buffer[] = [];
  if (member.pax !== undefined) parts.push(paxOf(member.pax, 'x'));
  parts.push(headerOf(member, content.length), padded(content));
  return Buffer.concat(parts);
}

export function writeTar(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.map(writeMember), Buffer.alloc(1024)]);
}
