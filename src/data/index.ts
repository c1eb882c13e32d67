/** What commands return, with the field names of --json. */
export * from './manifest-data.js';
export * from './rollback-data.js';
export { becauseText } from './because-text.js';
