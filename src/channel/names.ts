/** The names in a channel: what lies where, below its directory, its URL or its repository. */

/** The roles of The Update Framework, and the delegated one of this project. */
export const roles = ['root', 'targets', 'snapshot', 'timestamp', 'rollout'] as const;
export type Role = (typeof roles)[number];

/** The targets that every channel has. */
export const channelTarget = 'channel.json';
export const rolloutTarget = 'rollout.json';

export const metadataDirectory = 'metadata';
export const targetsDirectory = 'targets';

/** With consistent snapshots each version has a name of its own; the timestamp has none. */
export function metadataPath(role: Role, version: number): string {
  return role === 'timestamp' ? `${metadataDirectory}/timestamp.json` : `${metadataDirectory}/${version}.${role}.json`;
}

export function targetPath(name: string, sha256: string): string {
  return `${targetsDirectory}/${sha256}.${name}`;
}

/**
 * The target that a package is: named by its digest. Not by all of it, since tags of a registry, which begin with the
 * digest, have at most 128 characters.
 */
export function packageTarget(sha256: string): string {
  return `${sha256.slice(0, 32)}.tar`;
}
