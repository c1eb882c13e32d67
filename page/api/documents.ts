/*
 * The answers of the API: the documents of the command line, by their types. Nothing of the program itself is imported.
 */
export type { ApplyData, DetailedChangeData, PreviewData } from '../../src/app/apply.js';
export type { ListedContainer, OneData } from '../../src/app/container-list.js';
export type { GraphData } from '../../src/app/graph.js';
export type { StatusData } from '../../src/app/inspect.js';
export type { MergeData } from '../../src/app/merge.js';
export type { LoggedOperation } from '../../src/app/log.js';
export type { RollbackData } from '../../src/app/rollback.js';
export type { UpdateCountsData } from '../../src/app/update-counts.js';
export type { UpdateShowData } from '../../src/app/update-show.js';
export type { PastShowData } from '../../src/app/update-show.js';
export type { DisplacedData } from '../../src/app/displaced.js';
export type { ExplainData } from '../../src/provenance/index.js';
export type { BaseData, NodeData } from '../../src/data/index.js';
