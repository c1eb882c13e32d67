import type { App } from '../served.js';
import * as bodies from './action-bodies.js';
import * as words from './action-words.js';
import { begun } from './action.js';
import type { Run } from './action.js';
import { byId } from './shapes.js';

/** Bases, displaced content, and the whole store. */
export function addStoreActions(app: App, run: Run): void {
  app.post('/gc', { schema: { summary: 'as lamina gc', body: bodies.gcBody, response: begun } }, (request, reply) =>
    run(request, reply, {
      command: 'gc',
      words: () => (request.body.dryRun ? ['--dry-run'] : []),
      request: request.body,
      changesNothing: request.body.dryRun,
    }),
  );
  app.post(
    '/verify',
    { schema: { summary: 'as lamina verify', body: bodies.verifyBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'verify',
        words: () => words.verifyWords(request.body),
        request: request.body,
        changesNothing: !request.body.repair,
      }),
  );
  app.post(
    '/bases',
    { schema: { summary: 'as lamina base import NAME SOURCE', body: bodies.importBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'base import',
        words: () => words.importWords(request.body),
        request: request.body,
        changesNothing: false,
      }),
  );
  addDisplacedActions(app, run);
}

function addDisplacedActions(app: App, run: Run): void {
  app.post(
    '/displaced/:id/restore',
    {
      schema: {
        summary: 'as lamina displaced restore ID [PATH]: to its container',
        params: byId,
        body: bodies.restoreBody,
        response: begun,
      },
    },
    (request, reply) =>
      run(request, reply, {
        command: 'displaced restore',
        words: () => words.restoreWords(request.params.id, request.body),
        request: { displaced: request.params.id, ...request.body },
        changesNothing: false,
      }),
  );
  app.post(
    '/displaced/drop',
    { schema: { summary: 'as lamina displaced drop', body: bodies.dropBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'displaced drop',
        words: () => words.dropWords(request.body),
        request: request.body,
        changesNothing: false,
      }),
  );
}
