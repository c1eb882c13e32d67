export * from './verify.js';
export type { Finding, Severity } from './finding.js';
