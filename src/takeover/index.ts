export { rootName } from './root-name.js';
export { withRoot } from './root.js';
export type { RootOptions } from './root.js';
export { compareRoot } from './compare-root.js';
export { TakeOver } from './take-over.js';
export type { TakenOver } from './take-over.js';
