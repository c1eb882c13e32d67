import { setImmediate as breathe } from 'node:timers/promises';
import type { BytePath } from '../../base/bytes.js';
import { GzipWriter } from './compress.js';
import type { ArchiveCompression } from './destination.js';
import { makeFile } from './output-file.js';
import { ZstdWriter } from './zstd.js';

/** Takes the bytes of a stream; `end` or, after a failure, `drop` comes last. */
interface StreamWriter {
  add(bytes: Buffer): Promise<void>;
  end(): Promise<void>;
  drop(): Promise<void>;
}

export interface TarFileOptions {
  readonly compression: ArchiveCompression;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of the archive before compression. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Writes an archive into a file, which has its name only when it is whole.
 * @throws LaminaError refused: the name is taken; failed: it cannot be written
 */
export async function writeTarFile(path: BytePath, pieces: Pieces, options: TarFileOptions): Promise<void> {
  const { compression, signal, onBytes } = options;
  await makeFile(path, async (write) => {
    const writer = writers[compression](write);
    try {
      for await (const piece of pieces) {
        signal?.throwIfAborted();
        await writer.add(piece);
        onBytes?.(piece.length);
        // Signals come between two pieces.
        await breathe();
      }
      await writer.end();
    } catch (error) {
      await writer.drop();
      throw error;
    }
  });
}

type Pieces = Iterable<Buffer> | AsyncIterable<Buffer>;
type Write = (bytes: Buffer) => void;

const writers: Readonly<Record<ArchiveCompression, (write: Write) => StreamWriter>> = {
  none: (write) => ({
    add: (bytes) => {
      write(bytes);
      return Promise.resolve();
    },
    end: () => Promise.resolve(),
    drop: () => Promise.resolve(),
  }),
  gzip: (write) => new GzipWriter(write),
  zstd: (write) => new ZstdWriter(write),
};
