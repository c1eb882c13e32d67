export { serveSnapshots } from './serve.js';
export type { ServeOptions } from './serve.js';
