const lineBreak = 0x0a;
const tab = 0x09;
const carriageReturn = 0x0d;
const digits = Buffer.from('0123456789abcdef');
const escapedLength = 4;

/**
 * What a program prints, as it comes, for a terminal: control characters, invalid UTF-8 and characters that reorder a
 * line are shown as `\xNN`; only line breaks and tabs stay. A carriage return begins a new line, so that it cannot
 * overwrite earlier output. Works on bytes for speed: a gigabyte of control characters must not delay an update.
 */
export class PrintableText {
  #rest: Uint8Array = Buffer.alloc(0);
  #afterReturn = false;

  /** The text received so far, in UTF-8; an incomplete character is kept until its end arrives. */
  add(chunk: Uint8Array): Buffer {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.length - unfinished(bytes);
    this.#rest = Buffer.from(bytes.subarray(end));
    return this.#shown(bytes.subarray(0, end));
  }

  /** Returns what is left at the end. */
  end(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return this.#shown(rest);
  }

  #shown(bytes: Uint8Array): Buffer {
    const text = Buffer.allocUnsafe(bytes.length * escapedLength);
    let to = 0;
    for (let at = 0; at < bytes.length;) {
      const byte = bytes[at] ?? 0;
      const length = byte < 0x80 ? 1 : shownSequence(bytes, at);
      const isCovered = byte === lineBreak && this.#afterReturn;
      this.#afterReturn = byte === carriageReturn;
      if (byte === carriageReturn) text[to++] = lineBreak;
      else if ((byte >= 0x20 && byte < 0x7f) || byte === tab || (byte === lineBreak && !isCovered)) text[to++] = byte;
      else if (byte >= 0x80 && length > 0) for (let i = 0; i < length; i++) text[to++] = bytes[at + i] ?? 0;
      else if (!isCovered) to = escape(text, to, byte);
      at += Math.max(length, 1);
    }
    return text.subarray(0, to);
  }
}

function escape(text: Buffer, to: number, byte: number): number {
  text[to] = 0x5c;
  text[to + 1] = 0x78;
  text[to + 2] = digits[byte >> 4] ?? 0;
  text[to + 3] = digits[byte & 15] ?? 0;
  return to + escapedLength;
}

/** Bytes of the character that begins at `at`, 0 where none does or where it is not to be shown. */
function shownSequence(bytes: Uint8Array, at: number): number {
  const code = codePoint(bytes, at);
  if (code < 0xa0 || isReordering(code)) return 0;
  return code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** Line separators, bidi controls, and the byte order mark, which is invisible. */
const isReordering = (code: number) =>
  (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code === 0xfeff;

/**
 * Of a sequence of more than one byte; -1 where there is none (RFC 3629: no longer form than needed, no surrogates).
 */
function codePoint(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  const more = lead >= 0xf5 || lead < 0xc2 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (more === 0) return -1;
  let code = lead & (0x3f >> more);
  for (let i = 1; i <= more; i++) {
    const next = bytes[at + i] ?? 0;
    if ((next & 0xc0) !== 0x80) return -1;
    code = (code << 6) | (next & 0x3f);
  }
  const least = more === 3 ? 0x10000 : more === 2 ? 0x800 : 0x80;
  return code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? -1 : code;
}

/** Bytes at the end that begin a character of UTF-8 and do not end it. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}
