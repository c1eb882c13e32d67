import { refused } from './errors.js';
import type { LaminaError } from './errors.js';

/** A bound on untrusted input: a tree, an archive, a package, a file of a container. */
export interface Limit {
  /** Its name in refusals and docs/security.md. */
  readonly name: string;
  readonly value: number;
  /** In the plural. */
  readonly unit: string;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const gibibyte = 1024 * mebibyte;

const limit = (name: string, value: number, unit = 'bytes'): Limit => ({ name, value, unit });

/**
 * Every limit of untrusted input. docs/security.md, "Limits of input", says where each holds and which test shows it;
 * test/unit/base/limits.test.ts compares the two. Those of globs are held by native/filter/glob_compiler.cc and
 * native/addon/globs.cc.
 */
export const limits = {
  // Trees
  /** Of a path below a tree's root. */
  pathDepth: limit('path depth', 32 * kibibyte),
  /**
   * All paths of a tree that are longer than PATH_MAX: those of a chain of directories grow with the square of its
   * depth.
   */
  deepPaths: limit('deep paths', 144 * mebibyte),
  /** NAME_MAX. */
  nameLength: limit('name length', 255),
  entries: limit('entries', 12_000_000, 'entries'),
  /** All paths of a tree and all targets of its symlinks. An index counts them in 32 bits. */
  names: limit('names', gibibyte),
  /** The size of the files of a tree beyond their blocks: holes need no space, but must be read. */
  holes: limit('holes', 2048 * gibibyte),
  /** XATTR_NAME_MAX. */
  attributeName: limit('attribute name', 255),
  /** XATTR_SIZE_MAX. */
  attributeValue: limit('attribute value', 64 * kibibyte),
  /** Names and values. */
  entryAttributes: limit('attributes of an entry', mebibyte),
  /** Names and values of all entries. An index counts them in 32 bits. */
  treeAttributes: limit('attributes of a tree', gibibyte),

  // Archives
  /** The output of the decompressor plus the holes of sparse files; --max-size replaces this limit and the ratio. */
  unpackedSize: limit('unpacked size', 90, '% of the free space'),
  unpackedRatio: limit('unpacked ratio', 200, 'times the size of the archive, or 256 MiB'),
  extendedHeader: limit('extended header', 8 * mebibyte),
  longName: limit('long name', 64 * kibibyte),
  sparsePieces: limit('pieces of a sparse file', 1 << 20, 'pieces'),

  // Images
  /** An index, a manifest or a configuration. */
  imageDescription: limit('image description', 4 * mebibyte),
  imageLayers: limit('image layers', 500, 'layers'),
  /** What is kept of a layer's tar beside the content of its files. */
  tarHeaders: limit('tar headers', 4 * gibibyte),
  replacedContent: limit('replaced content', 256 * mebibyte),

  // Archives of a store
  /** Its first member: all that the manifest says of what is in it. */
  storeDescription: limit('store description', 256 * mebibyte),

  // Packages
  packageDescription: limit('package description', mebibyte),
  packageGlobs: limit('globs', 1000, 'globs'),
  globLength: limit('glob length', 4096),
  globAlternatives: limit('glob alternatives', 4096, 'alternatives'),
  globExpansion: limit('glob expansion', 256 * kibibyte),
  globComponents: limit('glob components', 63, 'components'),
  allGlobAlternatives: limit('alternatives of all globs', 16_384, 'alternatives'),
  allGlobBytes: limit('bytes of all globs', mebibyte),

  // Reports of machines, and notifications of an agent
  machineReport: limit('report of a machine', 64 * kibibyte),
  notification: limit('notification', 256 * kibibyte),
  eventLine: limit('line of an event stream', 64 * kibibyte),

  // What a procedure makes
  output: limit('output', 64 * mebibyte),
  readSet: limit('read set', 256 * mebibyte),

  // Files of a container
  accountFile: limit('account file', mebibyte),
  followedLinks: limit('followed symlinks', 40, 'symlinks'),
  tmpfilesFiles: limit('tmpfiles.d files', 512, 'files'),
  tmpfilesFile: limit('tmpfiles.d file', 256 * kibibyte),
  tmpfilesDirectories: limit('tmpfiles.d directories', 512, 'directories'),
  tmpfilesDepth: limit('tmpfiles.d depth', 12, 'levels'),
  comparedFile: limit('compared file', mebibyte),
  comparedTogether: limit('compared files', 64 * mebibyte),
  comparedEdits: limit('compared edits', 1000, 'lines'),
  nesting: limit('nesting', 60, 'levels'),
  aliases: limit('aliases', 100, 'aliases'),
  mergedFile: limit('merged file', 4 * mebibyte),
  /** Of a file whose format is known: databases of packages are larger than other texts. */
  mergedRecords: limit('merged records', 32 * mebibyte),
  /** Lines, and words between commas or bars, of which each may be a record. */
  mergedParts: limit('merged parts', 2_000_000, 'parts'),
  mergedEdits: limit('merged edits', 2000, 'lines'),

  // Channels
  channelTimestamp: limit('channel timestamp', 64 * kibibyte),
  /** Of root, snapshot and rollout: a root is parsed before anybody knows who signed it. */
  channelRoles: limit('channel roles', 64 * kibibyte),
  /** Of targets. */
  channelMetadata: limit('channel metadata', 8 * mebibyte),
  /** The list of updates, and the rollout. */
  channelContent: limit('channel content', 16 * mebibyte),
  channelUpdates: limit('channel updates', 10_000, 'updates'),
  channelPackage: limit('channel package', 64 * gibibyte),
} as const satisfies Readonly<Record<string, Limit>>;

/** Its value for people: `32,768 bytes`, `144 MiB`, `12,000,000 entries`. */
export function limitText({ value, unit }: Limit): string {
  if (unit === 'bytes') {
    for (const [size, word] of [
      [1024 * gibibyte, 'TiB'],
      [gibibyte, 'GiB'],
      [mebibyte, 'MiB'],
    ] as const)
      if (value >= size && value % size === 0) return `${value / size} ${word}`;
  }
  // Not by toLocaleString: what that loads takes longer than most commands.
  return `${String(value).replace(/\B(?=(?:\d{3})+$)/g, ',')} ${unit}`;
}

/** The end of a refusal's message: `the limit 'path depth' is 32,768 bytes`. */
export function limitNamed(limit: Limit): string {
  return `the limit '${limit.name}' is ${limitText(limit)}`;
}

/** @param what is beyond the limit, with its path or name: a whole clause; @param hint what to do */
export function overLimit(limit: Limit, what: string, hint: string): LaminaError {
  return refused(`${what}; ${limitNamed(limit)}`, { code: 'OVER_LIMIT', hint });
}
