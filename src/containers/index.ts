export { mountPresent } from './mount-container.js';
export type { MountOptions } from './mount-container.js';
export { runCommand } from './run-command.js';
export type { RunContainerOptions } from './run-command.js';
export { unmountContainer } from './unmount-container.js';
