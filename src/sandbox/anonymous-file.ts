import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join, toBuffer } from '../base/bytes.js';
import { newId } from '../base/ids.js';
import { temporaryDirectory } from '../platform/command-line.js';

/** A file without a name: another process reads its content from the start through its descriptor. */
export class AnonymousFile {
  readonly descriptor: number;

  constructor(content: Buffer = Buffer.alloc(0)) {
    const path = toBuffer(join(temporaryDirectory(), `lamina-${newId('m')}.file`));
    this.descriptor = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    for (let at = 0; at < content.length;) at += writeSync(this.descriptor, content, at, content.length - at, at);
  }

  /** What another process has written to it. */
  text(): string {
    const buffer = Buffer.alloc(1 << 12);
    return buffer.toString('latin1', 0, readSync(this.descriptor, buffer, 0, buffer.length, 0));
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
