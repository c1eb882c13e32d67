import { readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { tmpdir } from 'node:os';
import { fromBuffer, fromText, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/*
 * The arguments and environment of this process, as texts that keep every byte (docs/format.md). Node decodes
 * arguments, the environment and the working directory as UTF-8 and puts U+FFFD in the place of other bytes. Only if
 * one occurs are the bytes read from the kernel.
 */

const replacement = '\ufffd';

/** The arguments, as process.argv. */
export function commandLine(): string[] {
  const { argv } = process;
  if (!argv.some((word) => word.includes(replacement))) return argv;
  const words = splitZero(readFileSync('/proc/self/cmdline'));
  // Node's own options come before the script and are not in process.argv.
  return [...argv.slice(0, 2), ...words.slice(words.length - argv.length + 2).map(toText)];
}

/** A variable of the environment; undefined where it is not set. */
export function environmentText(name: string): string | undefined {
  const value = process.env[name];
  if (value?.includes(replacement) !== true) return value;
  const start = `${name}=`;
  const entry = splitZero(readFileSync('/proc/self/environ')).find((each) => each.startsWith(start));
  return entry === undefined ? value : toText(entry.slice(start.length) as BytePath);
}

/** The path that a text names, absolute: relative ones start at the working directory. */
export function absolutePath(text: string): BytePath {
  const path = fromText(text);
  return (path.startsWith('/') ? resolve(path) : resolve(workingDirectory(), path)) as BytePath;
}

function workingDirectory(): BytePath {
  const directory = process.cwd();
  if (!directory.includes(replacement)) return fromText(directory);
  return fromBuffer(readlinkSync('/proc/self/cwd', 'buffer'));
}

/** The directory for temporary files. */
export function temporaryDirectory(): BytePath {
  return fromText(environmentText('TMPDIR') ?? tmpdir());
}

function splitZero(bytes: Buffer): BytePath[] {
  return fromBuffer(bytes).split('\0').slice(0, -1) as BytePath[];
}
