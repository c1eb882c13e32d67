/** Processes an inbox: src/inbox. */
export { watchInbox } from '../inbox/index.js';
export type { ItemReport } from '../inbox/index.js';
