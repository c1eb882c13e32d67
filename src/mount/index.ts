export * from './driver.js';
export * from './find.js';
export * from './lost.js';
export * from './mountpoint.js';
