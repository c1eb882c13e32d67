export { runAgent } from './agent.js';
export type { AgentData, AgentRequest, BaseRound } from './agent.js';
export { follow, followed, unfollow } from './follow.js';
export type { FollowData, FollowRequest, FollowedData } from './follow.js';
