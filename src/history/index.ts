export * from './rollback.js';
export * from './merge.js';
