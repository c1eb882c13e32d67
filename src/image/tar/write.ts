import { closeSync, fstatSync, readSync } from 'node:fs';
import { display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf, must } from '../../base/errors.js';
import { encodeHeader, tarEnd, tarPadding } from './header.js';
import type { TarHeader } from './header.js';
import { Pieces } from './pieces.js';

export interface TarMemberToWrite {
  readonly header: TarHeader;
  /** Opens the content of a file that is not empty; the writer closes it. */
  readonly open?: (() => number) | undefined;
}

/**
 * The bytes of an archive of these members, in their order, up to the end mark. A piece that was given is not used
 * again.
 * @throws LaminaError failed: a file cannot be read, or has not the size of its header
 */
export function* tarBytes(members: Iterable<TarMemberToWrite>): Generator<Buffer, void, undefined> {
  const pieces = new Pieces();
  for (const { header, open } of members) {
    yield* pieces.add(encodeHeader(header));
    if (header.size === 0) continue;
    yield* contentBytes(pieces, header, must(open, `the content of ${display(header.path)}`));
    yield* pieces.add(Buffer.alloc(tarPadding(header.size)));
  }
  yield* pieces.add(tarEnd());
  yield* pieces.rest();
}

function* contentBytes(pieces: Pieces, { path, size }: TarHeader, open: () => number) {
  const descriptor = open();
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.size !== size) throw changed(path, size);
    for (let at = 0; at < size;) {
      const part = pieces.room(size - at);
      readPart(descriptor, part, { path, size, at });
      at += part.length;
      yield* pieces.used(part.length);
    }
  } finally {
    closeSync(descriptor);
  }
}

interface Part {
  readonly path: BytePath;
  readonly size: number;
  readonly at: number;
}

function readPart(descriptor: number, part: Buffer, { path, size, at }: Part): void {
  try {
    for (let done = 0; done < part.length;) {
      const count = readSync(descriptor, part, done, part.length - done, at + done);
      if (count === 0) throw changed(path, size);
      done += count;
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw failed(`cannot read /${display(path)}: ${messageOf(error)}`, { code: 'READ_FAILED', cause: error });
  }
}

function changed(path: BytePath, size: number) {
  return failed(`/${display(path)} is not the file of ${size} bytes that it was`, {
    code: 'SOURCE_CHANGED',
    hint: 'run lamina verify',
  });
}
