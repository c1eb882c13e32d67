export { joinJournals, joinReads } from './join.js';
export { readJournal } from './journal.js';
export type { LoggedOperation } from './journal.js';
export { forgetMountedOver, readLines, readReadSet } from './read-set.js';
export type { ReadLine } from './read-set.js';
