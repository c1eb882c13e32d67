/** A name or a text of bytes in an address: every byte that could mean something else is escaped. */
export function escaped(text: string): string {
  const surrogate = /[\udc80-\udcff]/u;
  return Array.from(text)
    .map((char) =>
      surrogate.test(char) ? `%${((char.codePointAt(0) ?? 0) - 0xdc00).toString(16)}` : encodeURIComponent(char),
    )
    .join('');
}
