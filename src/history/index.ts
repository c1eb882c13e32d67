export * from './roll-back.js';
export * from './restore.js';
export * from './fold-history.js';
