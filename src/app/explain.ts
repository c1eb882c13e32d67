/** Where a path of a container comes from: src/provenance. */
export { explain } from '../provenance/index.js';
export type { ExplainData, Origin } from '../provenance/index.js';
