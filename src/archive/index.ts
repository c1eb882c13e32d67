export { exportArchive } from './export.js';
export { ArchiveImport, checkArrival } from './import.js';
export type { OpenedArchive } from './import.js';
export { ArchiveReader } from './read.js';
