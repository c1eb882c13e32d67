export * from './model.js';
export * from './memory.js';
export * from './view.js';
export * from './coverage.js';
export * from './compare.js';
export * from './equality.js';
export * from './plan.js';
export * from './delta.js';
export * from './times.js';
export * from './touched.js';
export * from './skip.js';
export * from './within.js';
export * from './three-way.js';
export * from './holders.js';
export * from './compose.js';
export * from './fold.js';
export * from './fold-origins.js';
// Comparing contents needs large libraries: import that file directly.
export type * from './content-diff.js';
