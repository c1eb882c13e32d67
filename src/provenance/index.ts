export { explain } from './explain-path.js';
export type { ExplainData, Origin } from './explain-path.js';
export { readUpdateJournal } from './update-journal.js';
