import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, messageOf, spaceHint } from '../../base/errors.js';

/** The source that stands for standard input. */
export const standardInput = '-' as BytePath;
/** Where its file can be opened, and its status read. A socket cannot be opened there (ENXIO). */
export const standardInputAt = '/proc/self/fd/0' as BytePath;

/**
 * Stores what comes from a FIFO, or from a pipe or socket as standard input, in a new file for the time of `work`: an
 * archive is read from a file, and its end is looked at before its middle.
 * @param called the source, for people
 * @param file a path that nothing has; it is removed in the end
 * @throws LaminaError failed: it cannot be read or stored; as `work`
 */
export async function withSpooled<T>(
  source: { readonly at: BytePath; readonly called: string; readonly signal: AbortSignal | undefined },
  file: BytePath,
  work: () => Promise<T>,
): Promise<T> {
  try {
    try {
      const from = source.at === standardInputAt ? process.stdin : createReadStream(toBuffer(source.at));
      const into = createWriteStream(toBuffer(file), { flags: 'wx', mode: 0o600 });
      await pipeline(from, into, source.signal === undefined ? {} : { signal: source.signal });
    } catch (error) {
      source.signal?.throwIfAborted();
      throw failed(`cannot store the data of ${source.called}: ${messageOf(error)}`, {
        ...{ code: 'READ_FAILED', cause: error },
        ...spaceHint(error),
      });
    }
    return await work();
  } finally {
    await rm(toBuffer(file), { force: true });
  }
}
