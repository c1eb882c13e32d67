export { explain } from './explain-path.js';
export type { ExplainData, Origin } from './explain-path.js';
export { ranUnrecorded, readUpdateJournal } from './update-journal.js';
