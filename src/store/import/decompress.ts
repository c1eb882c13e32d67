import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf, notFound } from '../../base/errors.js';

/** The size of one read: the overhead of small chunks exceeds the work on them. */
const chunkSize = 1 << 18;
/** The same of a file that is read as it is: then only waking up the thread that reads costs anything. */
const fileChunkSize = 1 << 20;
/** What is decompressed at most before it is asked for: beside the work on what came before. */
const aheadSize = 8 * chunkSize;

export type Compression = 'none' | 'gzip' | 'xz' | 'zstd';

const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** Recognised by the file's first bytes, not by its name. */
export async function compressionOf(path: BytePath): Promise<Compression> {
  const handle = await open(toBuffer(path), 'r');
  try {
    const start = Buffer.alloc(6);
    await handle.read(start, 0, start.length, 0);
    const found = magics.find(([, magic]) => magic.every((byte, i) => start[i] === byte));
    return found?.[0] ?? (isSkippableFrame(start) ? 'zstd' : 'none');
  } finally {
    await handle.close();
  }
}

/** What zstd passes over, and some programs begin with (RFC 8878, 3.1.2). */
const isSkippableFrame = (start: Buffer): boolean => (start.readUInt32LE(0) & 0xffff_fff0) >>> 0 === 0x184d_2a50;

/** Bytes in chunks, each valid until the next one is asked for. */
export interface Chunks extends AsyncIterable<Buffer> {
  /** Ends what makes them. Who has begun to iterate must end that, too. */
  destroy(): unknown;
}

/** The archive's own bytes, decompressed. The reading fails where they are truncated or corrupt. */
export function decompressed(
  path: BytePath,
  compression: Compression,
  onRead: (bytes: number, chunk: Buffer) => void,
  called = display(path),
): Chunks {
  if (compression === 'none') return new FileChunks(path, onRead);
  const file = createReadStream(toBuffer(path), { highWaterMark: chunkSize });
  file.on('data', (chunk) => {
    onRead(chunk.length, chunk as Buffer);
  });
  const out = new Transform({
    highWaterMark: aheadSize,
    transform: (chunk: Buffer, _, done) => {
      done(null, chunk);
    },
  });
  const fail = (error: unknown) => out.destroy(corrupt(called, error));
  if (compression === 'gzip') {
    pipeline(file, createGunzip({ chunkSize }), out).catch(fail);
  } else {
    throughProgram(compression, file, out).catch(fail);
  }
  return out;
}

/** The bytes of a file, the next of them read beside the work on the last: always into the same memory. */
class FileChunks implements Chunks {
  constructor(
    readonly path: BytePath,
    readonly onRead: (bytes: number, chunk: Buffer) => void,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    let [last, next] = [Buffer.allocUnsafeSlow(fileChunkSize), Buffer.allocUnsafeSlow(fileChunkSize)];
    const handle = await open(toBuffer(this.path), 'r');
    // An error is kept until the chunk is asked for.
    const read = async (into: Buffer): Promise<() => number> => {
      try {
        const { bytesRead } = await handle.read(into, 0, into.length, null);
        return () => bytesRead;
      } catch (error) {
        return () => {
          throw error;
        };
      }
    };
    let ahead = read(next);
    try {
      for (;;) {
        const length = (await ahead)();
        if (length === 0) return;
        [last, next] = [next, last];
        ahead = read(next);
        const chunk = last.subarray(0, length);
        this.onRead(length, chunk);
        yield chunk;
      }
    } finally {
      await ahead;
      await handle.close();
    }
  }

  destroy(): void {
    // What was opened is closed by the iteration.
  }
}

/** Node 20 decodes neither; the programs are common wherever such archives are, and verify checksums. */
async function throughProgram(program: 'xz' | 'zstd', file: Readable, out: Transform): Promise<void> {
  const child = spawn(program, ['-d', '-c', '-q'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const exit = new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => {
      reject(
        isSystemError(error, 'ENOENT')
          ? notFound(`cannot run '${program}': no such program`, {
              hint: `install it (Debian: ${program === 'xz' ? 'xz-utils' : 'zstd'})`,
            })
          : error,
      );
    });
    child.on('close', resolve);
  });
  out.once('close', () => child.kill());
  // A decompressor that has failed reads no more (EPIPE): its exit code gives the reason.
  const input = pipeline(file, child.stdin).catch((error: unknown) => {
    if (
      !isSystemError(error, 'EPIPE', 'ECONNRESET') &&
      !(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')
    )
      throw error;
  });
  const output = (async () => {
    for await (const chunk of child.stdout)
      if (!out.write(chunk)) await new Promise((resolve) => out.once('drain', resolve));
  })();
  const [code] = await Promise.all([exit, input, output]);
  if (code !== 0)
    throw new Error(Buffer.concat(errors).toString('utf8').trim() || `${program} ended with ${String(code)}`);
  out.end();
}

function corrupt(called: string, error: unknown): Error {
  if (error instanceof Error && error.name === 'LaminaError') return error;
  return failed(`${called} cannot be read as an archive: ${messageOf(error)}`, {
    code: 'CORRUPT_ARCHIVE',
    hint: 'it is truncated or corrupt: get it again',
    cause: error,
  });
}
