export { unsatisfiedByApk } from './apk-dependencies.js';
export { compareApkVersions } from './apk-versions.js';
export { unsatisfied } from './dependencies.js';
export { mergeByPath, mergeByStart, mergeRecords, remakes, telltaleBytes, tooLargeToMerge } from './merge-records.js';
export { movedIds } from './moved-ids.js';
export type { MovedId } from './moved-ids.js';
export { OtherFormat } from './outcome.js';
export type { RecordMerge, Remaking } from './outcome.js';
export { dpkgVersion } from './packages.js';
