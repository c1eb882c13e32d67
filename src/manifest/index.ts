export * from './schema.js';
export * from './names.js';
export * from './queries.js';
export * from './transitions.js';
export * from './update.js';
export * from './rollback.js';
export * from './merge.js';
export * from './graph.js';
export type { Transition } from './draft.js';
