import { join } from '../base/bytes.js';
import type { ChannelState } from '../channel/index.js';
import { removeDurably } from '../platform/durable.js';
import { namesIn } from '../store/index.js';
import type { FollowPaths } from '../store/index.js';

/**
 * Removes what was received of updates that nobody applies any more: those that were withdrawn while they were
 * downloaded, or before a download that had failed was tried again.
 */
export async function dropDownloads({ downloads }: FollowPaths, { updates }: ChannelState): Promise<void> {
  const wanted = new Set(updates.flatMap((each) => (each.withdrawn ? [] : [each.package.sha256])));
  for (const name of namesIn(downloads)) {
    const sha256 = /^([0-9a-f]{64})\.tar(?:\.part)?$/.exec(name)?.[1];
    if (sha256 === undefined || !wanted.has(sha256)) await removeDurably(join(downloads, name));
  }
}
