export { isReachedByAll } from '../mount/host-view.js';
export type { HostView } from '../mount/host-view.js';
