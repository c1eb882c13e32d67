import type { App, Served } from '../served.js';
import { runner } from './action.js';
import { addContainerActions } from './container-actions.js';
import { addStoreActions } from './store-actions.js';
import { addUpdateActions } from './update-actions.js';

export function addActionRoutes(app: App, served: Served): void {
  const run = runner(served);
  addUpdateActions(app, run);
  addContainerActions(app, run);
  addStoreActions(app, run);
}
