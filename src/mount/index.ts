export * from './driver.js';
export * from './find.js';
export * from './mountpoint.js';
