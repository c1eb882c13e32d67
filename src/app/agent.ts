/** Follows channels: src/agent. */
export { follow, followed, runAgent, unfollow } from '../agent/index.js';
export type { AgentData, BaseRound, FollowData, FollowRequest } from '../agent/index.js';
