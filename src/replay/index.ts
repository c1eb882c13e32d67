export { recordConflict } from './after-merge.js';
export { replayInContainer, withReplayViews } from './in-container.js';
export { LayerServicing } from './merge-layer.js';
