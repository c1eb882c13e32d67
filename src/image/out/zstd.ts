import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { failed, isSystemError, messageOf, notFound } from '../../base/errors.js';

/**
 * Compresses a stream by the program zstd: Node 20 cannot. With as many workers as there are processors; what comes out
 * does not depend on their number.
 */
export class ZstdWriter {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exit: Promise<number | null>;
  readonly #errors: Buffer[] = [];
  #failure: Error | undefined;

  /** @param write is called with the compressed bytes in order */
  constructor(write: (bytes: Buffer) => void) {
    const child = spawn('zstd', ['-q', '-c', '-3', '-T0'], { stdio: 'pipe' });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => this.#errors.push(chunk));
    child.stdout.on('data', (chunk: Buffer) => {
      try {
        if (this.#failure === undefined) write(chunk);
      } catch (error) {
        this.#fail(error);
      }
    });
    this.#exit = new Promise((resolve) => {
      child.on('error', (error) => {
        this.#fail(
          isSystemError(error, 'ENOENT')
            ? notFound("cannot run 'zstd': no such program", { hint: 'install it (Debian: zstd)' })
            : error,
        );
        resolve(null);
      });
      child.on('close', resolve);
    });
    // Its exit code gives the reason.
    child.stdin.on('error', () => undefined);
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(messageOf(error));
    this.#child.kill();
  }

  async add(bytes: Buffer): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { stdin } = this.#child;
    if (stdin.destroyed) await this.end();
    else if (!stdin.write(bytes)) await Promise.race([drained(stdin), this.#exit]);
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    const code = await this.#exit;
    if (this.#failure !== undefined) throw this.#failure;
    const said = Buffer.concat(this.#errors).toString('utf8').trim();
    if (code !== 0) throw failed(said === '' ? `zstd ended with ${String(code)}` : said, { code: 'PROGRAM_FAILED' });
  }

  /** After a failure. */
  async drop(): Promise<void> {
    this.#child.kill();
    await this.#exit;
  }
}

/** A stream that fails instead is found destroyed by the next write. */
async function drained(stream: Writable): Promise<void> {
  await once(stream, 'drain').catch(() => undefined);
}
