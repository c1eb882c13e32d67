import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { jsonOf } from '../../base/json.js';
import { removeDurably, writeFileDurably } from '../../platform/durable.js';

/** What a follower keeps of a channel: metadata that it has checked, the two documents, and what it saw last. */
type TrustedName =
  `${'root' | 'timestamp' | 'snapshot' | 'targets' | 'rollout'}.json` | `target-${'channel' | 'rollout'}.json`;

const seenSchema = z.object({
  url: z.string(),
  /** Of the timestamp that the tag belongs to. */
  timestamp: z.string(),
  etag: z.string().optional(),
  /** Of the last state that was read as a whole. */
  version: z.int(),
});

/** The last state that was read as a whole. */
export type Seen = z.infer<typeof seenSchema>;

/** The files in a follower's directory. Each is replaced in one step; all are checked again when they are read. */
export class TrustedFiles {
  constructor(readonly directory: BytePath) {
    mkdirSync(toBuffer(directory), { recursive: true, mode: 0o700 });
  }

  async read(name: TrustedName | 'seen.json'): Promise<Buffer | undefined> {
    try {
      return await readFile(toBuffer(join(this.directory, name)));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async write(name: TrustedName | 'seen.json', bytes: Uint8Array): Promise<void> {
    await writeFileDurably(join(this.directory, name), bytes, { mode: 0o600 });
  }

  /** A missing one is no error. */
  async remove(name: TrustedName): Promise<void> {
    await removeDurably(join(this.directory, name));
  }

  /** Undefined: no state was read yet. It only saves requests, so one that cannot be read is as good as none. */
  async seen(): Promise<Seen | undefined> {
    const bytes = await this.read('seen.json');
    return seenSchema.safeParse(jsonOf(bytes?.toString('utf8') ?? '')).data;
  }

  async setSeen(seen: Seen): Promise<void> {
    await this.write('seen.json', Buffer.from(`${JSON.stringify(seen)}\n`));
  }
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
