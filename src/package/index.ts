export { checkHow, checkMaxBytes, checkPackage, checkRepeated, findApplied } from './applicable.js';
export { intendedBase } from './intended-base.js';
export { checkProcedure, commandOf } from './procedure.js';
export type { GivenProcedure, HealthCheck, Procedure } from './procedure.js';
export { plainSettings, readSettings, settingsOf, writeSettings } from './settings.js';
export type { ConflictChoice, Settings } from './settings.js';
export { interpreterOf, startOf } from './shebang.js';
export { readStored, storeProcedure } from './stored-procedure.js';
