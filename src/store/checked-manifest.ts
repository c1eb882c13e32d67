import { readFileSync, writeFileSync } from 'node:fs';
import { display, toBuffer } from '../base/bytes.js';
import { isSystemError, messageOf } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { version } from '../base/version.js';
import { durableStep } from '../platform/durable.js';
import { hashBytesSync, hexOfHash } from '../platform/hash.js';
import type { StorePaths } from './paths.js';

/**
 * A manifest is checked when it is published. `manifest.checked` holds the digest of the last one, so that the next
 * command need not check it again: of ten thousand nodes, that takes longer than reading them. It is not synced: where
 * it is missing, torn, or of another manifest or another version of Lamina, the manifest is checked in full.
 */
const lineOf = (text: readonly Buffer[]) => `${version} ${hexOfHash(hashBytesSync(text))}\n`;

/** Whether this version of Lamina has checked a manifest with this text, given in pieces. */
export function wasChecked(paths: StorePaths, text: readonly Buffer[]): boolean {
  let line: string;
  try {
    line = readFileSync(toBuffer(paths.checkedManifest), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
  return line === lineOf(text);
}

/** After the publish: where it fails, only the next command takes longer, and a warning says so. */
export function recordChecked(paths: StorePaths, text: readonly Buffer[]): void {
  try {
    durableStep('write', paths.checkedManifest);
    writeFileSync(toBuffer(paths.checkedManifest), lineOf(text), { mode: 0o600 });
  } catch (error) {
    const file = display(paths.checkedManifest);
    warn(
      `the change was made, but ${file} cannot be written: ${messageOf(error)}; the next command checks the whole manifest`,
    );
  }
}
