import { basename } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { limitNamed, limits } from '../base/limits.js';
import type { Limit } from '../base/limits.js';
import { accountFiles, mergeAccounts } from './accounts.js';
import { mergeAlternatives } from './alternatives.js';
import { mergeApkScripts } from './apk-scripts.js';
import { mergeJson } from './documents.js';
import { mergeIni } from './ini.js';
import {
  mergeByPathOfLine,
  mergeDiversions,
  mergeLineSets,
  mergeStatOverrides,
  mergeSubordinates,
} from './line-sets.js';
import { Clash, OtherFormat, TooLarge } from './outcome.js';
import type { RecordMerge, Versions } from './outcome.js';
import { mergeApkInstalled, mergeDpkgStatus } from './packages.js';
import { mergeSettings, valueOf } from './stanzas.js';
import { mergeYaml } from './yaml.js';

/** A known kind of file. */
interface Kind {
  readonly what: string;
  readonly isBlocking: boolean;
  /** Of the size of each version, below that of all records; beyond it the file is merged by lines. */
  readonly most?: Limit;
  /** @throws Clash; OtherFormat */
  readonly merge: (versions: Versions) => Uint8Array | ReturnType<typeof mergeAlternatives>;
}

const blocking = (what: string, merge: Kind['merge']): Kind => ({ what, isBlocking: true, merge });
const free = (what: string, merge: Kind['merge'], most?: Limit): Kind => ({
  ...{ what, isBlocking: false, merge },
  ...(most && { most }),
});

/** By the whole path of a root. */
const byPath: Readonly<Record<string, Kind>> = {
  'var/lib/dpkg/status': blocking("dpkg's status", mergeDpkgStatus),
  'var/lib/dpkg/statoverride': blocking("dpkg's statoverride", mergeStatOverrides),
  'var/lib/dpkg/diversions': blocking("dpkg's diversions", mergeDiversions),
  'var/lib/dpkg/arch': blocking("dpkg's architectures", mergeLineSets),
  'var/lib/ucf/hashfile': free("ucf's database", mergeByPathOfLine),
  'var/lib/ucf/registry': free("ucf's database", mergeByPathOfLine),
  'etc/apk/world': blocking("apk's world", mergeLineSets),
  'etc/subuid': blocking('subuid', mergeSubordinates),
  'etc/subgid': blocking('subgid', mergeSubordinates),
  'etc/shells': free('shells', mergeLineSets),
  'var/lib/apt/extended_states': free("apt's states", (versions) =>
    mergeSettings(versions, (fields) => `${valueOf(fields, 'Package')}:${valueOf(fields, 'Architecture')}`),
  ),
  ...Object.fromEntries(
    ['config', 'templates', 'passwords'].map((name) => [
      `var/cache/debconf/${name}.dat`,
      free("debconf's database", (versions: Versions) =>
        mergeSettings(versions, (fields) => valueOf(fields, 'Name') || undefined),
      ),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(accountFiles).map(([name, file]) => [
      `etc/${name}`,
      blocking(name, (versions: Versions) => mergeAccounts(file, versions)),
    ]),
  ),
};

const ini =
  /^(?:etc\/(?:default|sysconfig)\/[^/]+|etc\/environment|.*\.(?:ini|cfg|conf|cnf|repo|service|socket|timer|mount|path|slice|target|network|netdev|link|desktop|env|properties))$/;

const linkerCache = 'etc/ld.so.cache';
const alternatives = /^var\/lib\/dpkg\/alternatives\/[^/]+$/;

const byName: readonly (readonly [RegExp, Kind])[] = [
  [/^var\/lib\/dpkg\/info\/[^/]+\.(?:list|md5sums|conffiles)$/, blocking('a list of dpkg', mergeLineSets)],
  // Unincorp is what is still to be done.
  [/^var\/lib\/dpkg\/triggers\/(?!Unincorp$|Lock$)[^/]+$/, blocking("dpkg's triggers", mergeLineSets)],
  [alternatives, free('an alternative of dpkg', mergeAlternatives)],
  [/^(?:usr\/)?lib\/apk\/db\/installed$/, blocking("apk's database", mergeApkInstalled)],
  [/^(?:usr\/)?lib\/apk\/db\/scripts\.tar(?:\.gz)?$/, blocking("apk's scripts", mergeApkScripts)],
  [/^(?:usr\/)?lib\/apk\/db\/triggers$/, blocking("apk's triggers", mergeLineSets)],
  [/\.json$/i, free('JSON', mergeJson, limits.mergedFile)],
  [/\.ya?ml$/i, free('YAML', mergeYaml, limits.comparedFile)],
  [ini, free('settings', mergeIni, limits.mergedFile)],
];

/** Not worth merging: what a container's tools keep of its own past, or write again at once. */
const ownFiles = [
  /^var\/log\//,
  /^etc\/alternatives\/[^/]+$/,
  /^etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-$/,
  /^var\/lib\/dpkg\/(?:status|available|diversions|statoverride)-old$/,
  /^var\/lib\/ucf\/(?:hashfile|registry)\.\d+$/,
  /^var\/lib\/apt\/lists\//,
  /^var\/cache\/(?:apk|apt|ldconfig)\//,
  /^var\/cache\/debconf\/[a-z]+\.dat-old$/,
];

const databases = /^(?:var\/lib\/rpm|usr\/lib\/sysimage\/rpm)\/[^/]+$/;
const sqlite = 'SQLite format 3\0';
/** Bytes of a file by which `mergeRecords` knows that it cannot be merged. */
export const telltaleBytes = sqlite.length;

const wayOut = 'it cannot be merged; an update by a script runs the program that writes it in each container';

function kindOf(path: BytePath): Kind | undefined {
  const exact = Object.hasOwn(byPath, path) ? byPath[path] : undefined;
  return exact ?? byName.find(([pattern]) => pattern.test(path))?.[1];
}

/** What is decided by the path alone, of whatever type the versions are. */
export function mergeByPath(path: BytePath): RecordMerge | undefined {
  if (path === linkerCache) return { kind: 'made', then: { by: 'ldconfig' } };
  return ownFiles.some((pattern) => pattern.test(path)) ? { kind: 'own' } : undefined;
}

/** Whether a program of the root may have to make again what depends on a path, where both sides changed it. */
export const remakes = (path: BytePath): boolean => path === linkerCache || alternatives.test(path);

/** What is decided by how the container's version begins. @param start `telltaleBytes` of it, or fewer */
export function mergeByStart(path: BytePath, start: Uint8Array): RecordMerge | undefined {
  const conflict = (what: string) =>
    ({ kind: 'conflict', reason: `${what} changed on both sides, and ${wayOut}`, isBlocking: true }) as const;
  if (databases.test(path)) return conflict('the rpm database');
  return Buffer.from(start).toString('latin1', 0, sqlite.length) === sqlite
    ? conflict('an SQLite database')
    : undefined;
}

/** A known file that is beyond the limit `merged records`. Undefined: it is of no known kind. */
export function tooLargeToMerge(path: BytePath): RecordMerge | undefined {
  const kind = kindOf(path);
  return kind === undefined ? undefined : tooLarge(kind, limits.mergedRecords);
}

/** What can be merged by lines, is. */
function tooLarge({ what, isBlocking }: Kind, limit: Limit): RecordMerge | undefined {
  if (!isBlocking) return undefined;
  return { kind: 'conflict', reason: `${what} is too large to merge; ${limitNamed(limit)}`, isBlocking };
}

/**
 * Three versions of a file of a known format, merged record by record. Undefined: it is of no known format, or not what
 * its name promises; then it is merged by lines.
 */
export function mergeRecords(path: BytePath, versions: Versions): RecordMerge | undefined {
  const kind = kindOf(path);
  if (kind === undefined) return undefined;
  const { base, ours, theirs } = versions;
  const { most } = kind;
  if (most !== undefined && [base, ours, theirs].some((version) => (version?.length ?? 0) > most.value))
    return undefined;
  if (same(ours, theirs) || (base !== undefined && same(base, theirs))) return { kind: 'merged', content: ours };
  if (base !== undefined && same(base, ours)) return { kind: 'merged', content: theirs };
  try {
    return mergedBy(kind, path, versions);
  } catch (error) {
    if (error instanceof Clash) return { kind: 'conflict', reason: error.message, isBlocking: kind.isBlocking };
    if (!(error instanceof OtherFormat)) throw error;
    if (error instanceof TooLarge) return tooLarge(kind, error.limit);
    if (!kind.isBlocking) return undefined;
    return { kind: 'conflict', reason: `${basename(path)} is not in the form of ${kind.what}`, isBlocking: true };
  }
}

function mergedBy(kind: Kind, path: BytePath, versions: Versions): RecordMerge {
  const content = kind.merge(versions);
  if (!(content instanceof Uint8Array)) {
    const then = { by: 'update-alternatives', name: basename(path) } as const;
    return { kind: 'merged', content: content.content, ...(content.isAuto ? { then } : {}) };
  }
  return { kind: 'merged', content };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
