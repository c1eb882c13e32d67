import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { fromText } from '../../../../src/base/bytes.js';
import { LaminaError } from '../../../../src/base/errors.js';
import { removeTree } from '../../../../src/platform/walk.js';
import { importTar } from '../../../../src/store/index.js';
import type { ArchiveKind } from '../../../../src/store/import/tar.js';
import { writeTar } from '../../../support/tar-writer.js';
import type { Member } from '../../../support/tar-writer.js';

interface Imports {
  /** Imports an archive into a directory of its own, which it returns. */
  readonly imported: (archive: Buffer | readonly Member[], kind?: ArchiveKind) => Promise<string>;
  /** The error with which importing it ends. */
  readonly refusal: (archive: Buffer | readonly Member[]) => Promise<LaminaError>;
}

/** Imports of tars in a scratch directory that is removed after the tests of the file. */
export function importsOfTars(): Imports {
  const scratch = mkdtempSync(join(tmpdir(), 'lamina-tars-'));
  afterAll(() => {
    removeTree(fromText(scratch));
  });
  let number = 0;
  async function imported(archive: Buffer | readonly Member[], kind: ArchiveKind = {}): Promise<string> {
    const place = join(scratch, String(++number));
    writeFileSync(`${place}.tar`, Buffer.isBuffer(archive) ? archive : writeTar(archive));
    await importTar(fromText(`${place}.tar`), fromText(place), {}, kind);
    return place;
  }
  async function refusal(archive: Buffer | readonly Member[]): Promise<LaminaError> {
    const error: unknown = await imported(archive).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(LaminaError);
    return error as LaminaError;
  }
  return { imported, refusal };
}
