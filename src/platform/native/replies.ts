export function asBuffer(reply: Buffer | number): Buffer {
  if (typeof reply === 'number') throw new TypeError('addon.node returned a number instead of bytes');
  return reply;
}

export function asNumber(reply: Buffer | number): number {
  if (typeof reply !== 'number') throw new TypeError('addon.node returned bytes instead of a number');
  return reply;
}

/** Names that the addon gives with a NUL after each. */
export const splitNames = (list: Buffer) =>
  list
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '');
