export * from './hold.js';
export * from './runner.js';
