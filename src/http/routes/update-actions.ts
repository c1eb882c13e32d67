import type { App } from '../served.js';
import * as bodies from './action-bodies.js';
import * as words from './action-words.js';
import { begun } from './action.js';
import type { Run } from './action.js';
import { named } from './shapes.js';

/** Updates, and what is done with them afterwards. */
export function addUpdateActions(app: App, run: Run): void {
  app.post(
    '/updates/preview',
    {
      schema: {
        summary: 'as lamina update apply --dry-run: runs the procedure, and publishes nothing',
        body: bodies.previewBody,
        response: begun,
      },
    },
    // It runs a program that the caller chooses: that is more than to read.
    (request, reply) =>
      run(request, reply, {
        command: 'update apply',
        words: () => words.applyWords(request.body, true),
        request: { ...request.body, dryRun: true },
        changesNothing: false,
      }),
  );
  app.post(
    '/updates',
    { schema: { summary: 'as lamina update apply', body: bodies.applyBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'update apply',
        words: () => words.applyWords(request.body, false),
        request: request.body,
        changesNothing: false,
      }),
  );
  addUndoActions(app, run);
  addRedoAction(app, run);
}

function addUndoActions(app: App, run: Run): void {
  app.post(
    '/updates/:name/rollback',
    { schema: { summary: 'as lamina rollback', params: named, body: bodies.rollbackBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'rollback',
        words: () => words.rollbackWords(request.params.name, request.body),
        request: { update: request.params.name, ...request.body },
        changesNothing: request.body.dryRun,
      }),
  );
  app.post(
    '/bases/:name/merge',
    { schema: { summary: 'as lamina merge NAME', params: named, body: bodies.mergeBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'merge',
        words: () => words.mergeWords(request.params.name, request.body),
        request: { base: request.params.name, ...request.body },
        changesNothing: request.body.dryRun,
      }),
  );
}

function addRedoAction(app: App, run: Run): void {
  app.post(
    '/updates/:name/redo',
    {
      schema: {
        summary: 'as lamina update redo NAME|ID; options that are left out are those it had',
        params: named,
        body: bodies.redoBody,
        response: begun,
      },
    },
    (request, reply) =>
      run(request, reply, {
        command: 'update redo',
        words: () => words.redoWords(request.params.name, request.body),
        request: { update: request.params.name, ...request.body },
        changesNothing: false,
      }),
  );
}
