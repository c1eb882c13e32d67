export * from './rollback.js';
