export { pingDriver } from './control.js';
export * from './driver.js';
export * from './find.js';
export { describeUse } from './in-use.js';
export * from './lost.js';
export * from './mountpoint.js';
export * from './sockets.js';
