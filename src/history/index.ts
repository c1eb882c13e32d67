export * from './rollback.js';
export * from './restore.js';
export * from './merge.js';
