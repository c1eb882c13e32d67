export * from './apply.js';
export type { Progress } from './progress.js';
export type * from './preview.js';
export * from './procedure.js';
export * from './sandbox.js';
export * from './hold.js';
export * from './active.js';
export * from './manual.js';
export * from './globs.js';
