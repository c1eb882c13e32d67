export { pingDriver } from './control.js';
export * from './driver.js';
export * from './find.js';
export { describeMount, describeUse } from './in-use.js';
export type { Use } from './in-use.js';
export * from './lost.js';
export * from './mountpoint.js';
export * from './sockets.js';
