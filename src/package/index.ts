export { checkHow, checkMaxBytes, checkPackage, checkRepeated, findApplied } from './applicable.js';
export { describePackage, intendedBase } from './intended-base.js';
export type { DescribedPackage } from './intended-base.js';
export { checkInside, checkProcedure, commandOf } from './procedure.js';
export type { GivenProcedure, HealthCheck, Procedure, ProcedureImage } from './procedure.js';
export { plainSettings, readSettings, settingsOf, writeSettings } from './settings.js';
export type { ConflictChoice, Settings } from './settings.js';
export { interpreterOf, startOf } from './shebang.js';
export { readStored, storeImageProcedure, storeProcedure } from './stored-procedure.js';
