export { makeBundle } from './bundle.js';
export type { BundleOptions } from './bundle.js';
export { runOptionsOf } from './run-options.js';
export { runningUnits, whileStopped } from './restart.js';
export type { ContainerUnit, StartFault } from './restart.js';
export { quadletText, runtimePrograms, serviceText, unitName, unitRuntimes } from './unit.js';
export type { UnitRequest, UnitRuntime } from './unit.js';
