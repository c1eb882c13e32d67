/** The numbers of a tar. Each function returns undefined for an invalid number: the caller names the member. */

/**
 * A field of a header: octal text, or base-256 in two's complement where the first bit is set (GNU tar manual,
 * "Extensions"). An empty field is 0. Before the digits may be spaces or one NUL, behind them a space or NUL, and then
 * anything. Beyond the safe integers the result is only approximate: no field may be so large.
 */
export function fieldNumber(block: Buffer, at: number, length: number): number | undefined {
  const first = block.readUInt8(at);
  if ((first & 0x80) !== 0) return base256(block.subarray(at, at + length), first);
  let start = first === 0 ? at + 1 : at;
  const end = at + length;
  while (start < end && block[start] === 0x20) start += 1;
  let stop = start;
  while (stop < end && block[stop] !== 0x20 && block[stop] !== 0) stop += 1;
  let value = 0;
  for (let digit = start; digit < stop; digit++) {
    const bits = block.readUInt8(digit) ^ 0x30;
    if (bits > 7) return undefined;
    value = value * 8 + bits;
  }
  return value;
}

/** The first bit is only the mark of the form, the next one is the sign. */
function base256(field: Buffer, first: number): number {
  const bits = BigInt(field.length * 8 - 1);
  const value = BigInt(`0x${field.toString('hex')}`) & ((1n << bits) - 1n);
  return Number((first & 0x40) === 0 ? value : value - (1n << bits));
}

/** A number of a record or of a sparse map: decimal digits, and no more than a double holds exactly. */
export function decimal(text: string): number | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A time of a record, "-12.345" in seconds, in nanoseconds: what is finer is rounded down, as GNU tar does. */
export function decimalTime(text: string): bigint | undefined {
  const parts = /^(-?)(\d{1,20})(?:\.(\d*))?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign, seconds = '0', fraction = ''] = parts;
  const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  if (sign === '') return value;
  return /[1-9]/.test(fraction.slice(9)) ? -value - 1n : -value;
}
