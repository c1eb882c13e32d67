import { limits } from '../base/limits.js';

/** The limits of what a channel sends (docs/security.md). */
export const channelLimits = {
  timestamp: limits.channelTimestamp,
  roles: limits.channelRoles,
  metadata: limits.channelMetadata,
  content: limits.channelContent,
  package: limits.channelPackage,
} as const;
