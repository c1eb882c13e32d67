import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { LaminaError } from '../base/errors.js';
import { distFile } from '../platform/install.js';

/** A file of the page. */
export interface PageFile {
  readonly content: Buffer;
  readonly type: string;
  readonly etag: string;
  /** The same, compressed when the page was built, by the name of the encoding. */
  readonly encoded: ReadonlyMap<string, Buffer>;
}

/** The endings of compressed forms; the first one that a browser takes is sent. */
const encodings = { br: '.br', gzip: '.gz' } as const;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * The files of dist/page by their address, read once: no address that is asked for becomes a path. Empty where the page
 * was not built.
 */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const directory = pageDirectory();
  if (directory === undefined) return new Map();
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return new Map(
    entries
      .filter((entry) => entry.isFile() && types[extname(entry.name)] !== undefined)
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        const content = readFileSync(path);
        const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
        const type = types[extname(entry.name)] ?? 'application/octet-stream';
        return [`/${relative(directory, path)}`, { content, type, etag, encoded: encodedForms(path) }];
      }),
  );
}

function encodedForms(path: string): ReadonlyMap<string, Buffer> {
  const forms = Object.entries(encodings).filter(([, ending]) => existsSync(path + ending));
  return new Map(forms.map(([encoding, ending]) => [encoding, readFileSync(path + ending)]));
}

/** What is sent to a browser by its Accept-Encoding. */
export function formFor(
  { content, encoded }: PageFile,
  accepted: string | undefined,
): { readonly content: Buffer; readonly encoding: string | undefined } {
  const taken = (accepted ?? '')
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .filter((part) => !/;\s*q=0(\.0*)?$/.test(part))
    .map((part) => part.replace(/\s*;.*$/, ''));
  for (const [encoding, form] of encoded) if (taken.includes(encoding)) return { content: form, encoding };
  return { content, encoding: undefined };
}

function pageDirectory(): string | undefined {
  try {
    return distFile('page');
  } catch (error) {
    if (error instanceof LaminaError && error.code === 'NOT_BUILT') return undefined;
    throw error;
  }
}

export const noPage =
  'Lamina serves its API here: see /api for its description.\nThe page is missing from this installation: scripts/build makes it.\n';
