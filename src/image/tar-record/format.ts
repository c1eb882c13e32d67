/** docs/format-index.md, "nodes/<id>/tar-headers". */
export const magic = Buffer.from('LAMINATH', 'latin1');
export const version = 1;
export const headerSize = 64;
export const blockLimit = 1 << 20;

/** Where the fields of the header are. */
export const fields = { version: 8, flags: 12, tarSize: 16, table: 24, checksum: 32 } as const;
export const reproducibleFlag = 1;

/** Of 0 to 2^53 - 1: seven bits a byte, the lowest first. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
