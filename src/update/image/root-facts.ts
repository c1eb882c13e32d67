import type { BytePath } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { OtherFormat, dpkgVersion } from '../../records/index.js';
import { follow, osReleaseOf, readFollowed } from '../../sandbox/index.js';
import type { RootReader } from '../../sandbox/index.js';

/** What a root says of itself. Undefined: nothing. */
export interface RootFacts {
  /** ID and VERSION_ID of os-release(5). */
  readonly distribution: string | undefined;
  readonly version: string | undefined;
  /** Of Debian's package base-files, whose version is that of a point release. */
  readonly baseFiles: string | undefined;
  /** Whether its packages are apk's: its versions then have apk's order. */
  readonly hasApk: boolean;
  /** As images name it, of the root's shell. */
  readonly architecture: string | undefined;
}

export function factsOf(root: RootReader): RootFacts {
  const release = osReleaseOf(root);
  return {
    distribution: release.get('ID'),
    version: release.get('VERSION_ID'),
    baseFiles: baseFilesOf(root),
    hasApk: apkDatabases.some((path) => follow(root, path).kind === 'found'),
    architecture: architectureOf(root),
  };
}

const apkDatabases = ['lib/apk/db/installed', 'usr/lib/apk/db/installed'];

function baseFilesOf(root: RootReader): string | undefined {
  const status = readFollowed(root, 'var/lib/dpkg/status', limits.mergedRecords.value);
  try {
    return status && dpkgVersion(status, 'base-files');
  } catch (error) {
    if (error instanceof OtherFormat) return undefined;
    throw error;
  }
}

/** e_machine of ELF, as images name the architectures (GOARCH). */
const machines: Readonly<Record<number, string>> = {
  3: '386',
  8: 'mips',
  21: 'ppc64le',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};
const largestShell = 16 * 2 ** 20;

function architectureOf(root: RootReader): string | undefined {
  for (const path of ['bin/sh', 'usr/bin/env'] as BytePath[]) {
    const program = readFollowed(root, path, largestShell);
    if (program === undefined || program.length < 20 || program.toString('latin1', 0, 4) !== '\x7fELF') continue;
    const machine = program[5] === 2 ? program.readUInt16BE(18) : program.readUInt16LE(18);
    return machines[machine] ?? `machine ${machine}`;
  }
  return undefined;
}
