export { stopSignalOf, withImageDefaults } from './image-defaults.js';
export { mountPresent, refuseMounted } from './mount-container.js';
export type { MountOptions, PresentMount } from './mount-container.js';
export { openingOf } from './opening.js';
export { runCommand } from './run-command.js';
export type { RunContainerOptions } from './run-command.js';
export { unmountContainer } from './unmount-container.js';
export { containerProcesses } from './container-processes.js';
export type { ContainerProcess } from './container-processes.js';
