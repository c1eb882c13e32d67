export * from './model.js';
export * from './memory.js';
export * from './view.js';
export * from './coverage.js';
export * from './compare.js';
export * from './plan.js';
export * from './delta.js';
export * from './touched.js';
