import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { writeMember } from './tar-writer.js';
import type { Member } from './tar-writer.js';

/** The members of an archive of a store, without its digest. Their names fit into their headers. */
export function membersOf(archive: string): Member[] {
  const bytes = readFileSync(archive);
  const members: Member[] = [];
  for (let at = 0; bytes[at] !== 0;) {
    const name = bytes.toString('latin1', at, bytes.indexOf(0, at));
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    const content = bytes.subarray(at + 512, at + 512 + size);
    if (name !== 'digest') members.push({ name, content, mode: 0o600, mtime: 0 });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return members;
}

/** Writes an archive of any members, with the digest that it must have. */
export function writeArchive(archive: string, members: readonly Member[]): string {
  const bytes = Buffer.concat(members.map(writeMember));
  const digest = `${createHash('sha256').update(bytes).digest('hex')}\n`;
  writeFileSync(archive, Buffer.concat([bytes, writeMember({ name: 'digest', content: digest }), Buffer.alloc(1024)]));
  return archive;
}
