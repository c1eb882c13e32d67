export * from './hold.js';
export * from './removal.js';
export * from './runner.js';
