export * from './check-store.js';
export type { Finding, Severity } from './finding.js';
export { compareTree } from './compare-tree.js';
