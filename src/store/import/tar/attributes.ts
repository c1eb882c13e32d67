import { display, toText } from '../../../base/bytes.js';
import type { BytePath } from '../../../base/bytes.js';
import { limits } from '../../../base/limits.js';
import { AccessListError, accessListOf } from './access-list.js';
import type { IdOf } from './access-list.js';
import { beyond, unsafe, unsupported } from './errors.js';
import type { TarMember } from './member.js';
import type { PaxRecords } from './records.js';

const schily = 'SCHILY.xattr.';
const libarchive = 'LIBARCHIVE.xattr.';
const none: ReadonlyMap<string, Buffer> = new Map();
/** The attributes that Linux can keep (xattr(7)); of those of the system, access lists. */
const ofLinux = /^(?:(?:user|trusted|security)\.|system\.posix_acl_(?:access|default)$)/;

/** Attributes of other systems, which were left out: macOS writes some into every archive. */
export class ForeignAttributes {
  #count = 0;
  #first = '';

  add(path: BytePath, name: string): void {
    if (this.#count === 0) this.#first = `'${display(name.slice(0, 60))}' of ${display(path)}`;
    this.#count += 1;
  }

  /** For people; undefined: there were none. */
  get text(): string | undefined {
    if (this.#count === 0) return undefined;
    const more = this.#count === 1 ? '' : ` and ${this.#count - 1} more`;
    return `${this.#first}${more}`;
  }
}

/**
 * The extended attributes of a member, access lists among them. For an attribute stated in several ways: SCHILY's bytes
 * take precedence over texts, libarchive's own names over those that it writes in addition.
 * @param foreign gets those that Linux cannot keep
 * @throws LaminaError refused: an access list that cannot be, or that Linux does not know
 */
export function xattrsOf(member: TarMember, idOf: IdOf, foreign: ForeignAttributes): ReadonlyMap<string, Buffer> {
  const { records } = member.extended;
  if (records.size === 0) return none;
  const xattrs = new Map<string, Buffer>();
  addTexts(member, records, idOf, xattrs);
  for (const [key, value] of records) {
    if (key.startsWith(libarchive))
      xattrs.set(percentDecoded(key.slice(libarchive.length)), Buffer.from(value.toString('latin1'), 'base64'));
    else if (key.startsWith(schily) && !records.has(libarchive + key.slice(schily.length)))
      // GNU tar writes = and % so, which a key cannot hold unescaped. A copy: attributes of directories live until the
      // end of the import.
      xattrs.set(
        key.slice(schily.length).replace(/%(3D|25)/g, (_, code) => (code === '25' ? '%' : '=')),
        Buffer.from(value),
      );
  }
  for (const [name, value] of xattrs) {
    check(member, name, value);
    if (ofLinux.test(name)) continue;
    foreign.add(member.name, name);
    xattrs.delete(name);
  }
  return xattrs;
}

function check(member: TarMember, name: string, value: Buffer): void {
  const has = `${display(member.name)} has the attribute '${display(name.slice(0, 60))}'`;
  if (name === '' || name.includes('\0')) throw unsafe(`${has}, which is not a valid name`);
  if (name.length > limits.attributeName.value)
    throw beyond(limits.attributeName, `${has}…, a name of ${name.length} bytes`);
  if (value.length > limits.attributeValue.value)
    throw beyond(limits.attributeValue, `${has} with a value of ${value.length} bytes`);
}

/** Attributes that are stated as text. */
function addTexts(member: TarMember, records: PaxRecords, idOf: IdOf, xattrs: Map<string, Buffer>): void {
  const text = (key: string) => {
    const value = records.get(key);
    return value === undefined || value.length === 0 ? undefined : toText(value.toString('latin1') as BytePath);
  };
  const label = records.get('RHT.security.selinux');
  // The kernel's form ends with a NUL.
  if (label !== undefined && label.length > 0)
    xattrs.set('security.selinux', label.at(-1) === 0 ? Buffer.from(label) : Buffer.concat([label, Buffer.alloc(1)]));
  if (text('SCHILY.acl.ace') !== undefined)
    throw unsupported(
      `${display(member.name)} has an access list of NFSv4, which Linux does not know`,
      'make the archive without access lists (bsdtar: --no-acls)',
    );
  // Symlinks have no access list, and only directories have a default one.
  const access = member.kind === 'symlink' ? undefined : text('SCHILY.acl.access');
  const inherited = member.kind === 'directory' ? text('SCHILY.acl.default') : undefined;
  const list = (list: string) => accessList(member, list, idOf);
  if (access !== undefined) xattrs.set('system.posix_acl_access', list(access));
  if (inherited !== undefined) xattrs.set('system.posix_acl_default', list(inherited));
}

function accessList(member: TarMember, text: string, idOf: IdOf): Buffer {
  try {
    return accessListOf(text, idOf);
  } catch (error) {
    if (!(error instanceof AccessListError)) throw error;
    throw unsupported(
      `${display(member.name)} has an access list with ${display(error.message)}`,
      'make the archive with --numeric-owner, or without --acls',
    );
  }
}

/** As libarchive encodes names: %XX is a byte. */
function percentDecoded(name: string): string {
  return name.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
