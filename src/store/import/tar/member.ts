import { display, fromBuffer } from '../../../base/bytes.js';
import type { BytePath } from '../../../base/bytes.js';
import { unsafe } from './errors.js';
import type { Header } from './header.js';
import { decimal, decimalTime } from './numbers.js';
import { continuedMember } from './records.js';
import type { ExtendedHeader, PaxRecords } from './records.js';

export type MemberKind =
  'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'block-device' | 'fifo' | 'volume-label';

/** The metadata of one member of an archive. */
export interface TarMember {
  readonly kind: MemberKind;
  /** As it is written; the caller must check it. */
  readonly name: BytePath;
  /** Of a symlink or hard link. */
  readonly target: BytePath;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly device: { readonly major: number; readonly minor: number };
  /** Of what is stored after the header: for a sparse file not the file's own size. */
  readonly stored: number;
  readonly isOldSparse: boolean;
  /** Its own, without those of all members. */
  readonly extended: ExtendedHeader;
}

/** The headers before a member's own. */
export interface Before {
  readonly all: PaxRecords;
  readonly extended: ExtendedHeader;
  readonly longName: BytePath | undefined;
  readonly longTarget: BytePath | undefined;
}

const kinds: Readonly<Record<string, MemberKind>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  D: 'directory',
  S: 'file',
  V: 'volume-label',
};
/** Kinds without stored content, whatever size their header states (GNU tar, bsdtar and Go's archive/tar agree). */
const headerOnly = '123456';
const highestId = 0xffff_fffe;

/** @throws LaminaError refused: it states an impossible value; the message names it */
export function memberOf(header: Header, before: Before): TarMember {
  const reading = new MemberReading(header, before);
  const { name } = reading;
  const kind = reading.kind();
  const isDevice = kind === 'character-device' || kind === 'block-device';
  return {
    kind,
    name,
    target: reading.text('linkpath') ?? before.longTarget ?? header.linkName,
    mode: reading.number('mode', header.mode, 0, Number.MAX_SAFE_INTEGER) & 0o7777,
    uid: reading.recorded('uid', header.uid, 0, highestId),
    gid: reading.recorded('gid', header.gid, 0, highestId),
    mtimeNs: reading.time(),
    device: isDevice ? reading.device() : { major: 0, minor: 0 },
    stored: headerOnly.includes(header.type) ? 0 : reading.size(),
    isOldSparse: header.type === 'S',
    extended: before.extended,
  };
}

/** Reads one member's header and records; errors name the member. */
class MemberReading {
  readonly name: BytePath;

  constructor(
    private readonly header: Header,
    private readonly before: Before,
  ) {
    this.name = this.text('GNU.sparse.name') ?? this.text('path') ?? before.longName ?? header.name;
  }

  kind(): MemberKind {
    const { type } = this.header;
    if (type === 'M') throw continuedMember(this.name);
    const kind = kinds[type];
    if (kind === undefined) throw unsafe(`${display(this.name)} is of an unknown type (${display(type)})`);
    // A slash at the end is how archives older than ustar say directory.
    return kind === 'file' && this.name.endsWith('/') ? 'directory' : kind;
  }

  /** The value of a record of its own; undefined where there is none, or an empty one, which cancels it. */
  text(key: string): BytePath | undefined {
    const value = this.before.extended.records.get(key);
    return value === undefined || value.length === 0 ? undefined : fromBuffer(value);
  }

  number(what: string, value: number | undefined, least: number, most: number): number {
    if (value === undefined) throw unsafe(`${display(this.name)} has a header whose ${what} is not a number`);
    return this.#within(what, value, String(value), { least, most });
  }

  /** A number of a record, else of the header. */
  recorded(key: string, otherwise: number | undefined, least: number, most: number): number {
    const text = this.#effective(key);
    if (text === undefined) return this.number(key, otherwise, least, most);
    return this.#within(key, decimal(text), text, { least, most });
  }

  size(): number {
    return this.recorded('size', this.header.size, 0, Number.MAX_SAFE_INTEGER - 1024);
  }

  time(): bigint {
    const text = this.#effective('mtime');
    // Some 34 thousand years either way; no file system keeps more.
    const most = (1n << 40n) * 1_000_000_000n;
    const time =
      text === undefined
        ? BigInt(this.number('mtime', this.header.mtime, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)) *
          1_000_000_000n
        : decimalTime(text);
    if (time === undefined || time > most || time < -most) throw this.#absurd('mtime', text ?? String(time));
    return time;
  }

  device(): { major: number; minor: number } {
    const { major, minor } = this.header;
    return {
      major: this.recorded('SCHILY.devmajor', major, 0, 0xfff),
      minor: this.recorded('SCHILY.devminor', minor, 0, 0xfffff),
    };
  }

  #effective(key: string): string | undefined {
    return this.text(key) ?? this.before.all.get(key)?.toString('latin1');
  }

  #within(what: string, value: number | undefined, text: string, range: { least: number; most: number }): number {
    if (value === undefined || !(value >= range.least) || !(value <= range.most)) throw this.#absurd(what, text);
    return value;
  }

  #absurd(what: string, text: string): Error {
    const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
    return unsafe(`${display(this.name)} states the impossible ${what}=${display(shown)}`);
  }
}
