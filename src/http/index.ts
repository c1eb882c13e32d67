export { inheritedSocket, parseAddress } from './listen.js';
export type { Address } from './listen.js';
export { serve } from './serve.js';
export type { ServeOptions } from './serve.js';
