export { joinJournals, joinReadSets } from './join.js';
export { readJournal } from './journal.js';
export type { JournalRecord, LoggedOperation } from './journal.js';
export { pathsOf } from './operation.js';
export type { RecordedOperation } from './operation.js';
export { Provenance } from './provenance.js';
export { forgetMountedOver, readLines, readReadSet } from './read-set.js';
export type { ReadKind, ReadLine } from './read-set.js';
