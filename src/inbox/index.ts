export { watchInbox } from './watch-inbox.js';
export type { WatchData, WatchRequest } from './watch-inbox.js';
export type { ItemReport } from './process-item.js';
export { isTransient } from './retries.js';
