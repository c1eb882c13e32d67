import type { App } from '../served.js';
import * as bodies from './action-bodies.js';
import * as words from './action-words.js';
import { begun } from './action.js';
import type { Run } from './action.js';
import { named } from './shapes.js';

/** Containers, and where they are mounted. */
export function addContainerActions(app: App, run: Run): void {
  app.post(
    '/containers/:name/catch-up',
    { schema: { summary: 'as lamina update catch-up NAME', params: named, body: bodies.catchUpBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'update catch-up',
        words: () => words.catchUpWords(request.params.name, request.body),
        request: { container: request.params.name, ...request.body },
        changesNothing: false,
      }),
  );
  app.post(
    '/containers',
    { schema: { summary: 'as lamina create', body: bodies.createBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'create',
        words: () => words.createWords(request.body),
        request: request.body,
        changesNothing: false,
      }),
  );
  app.delete(
    '/containers/:name',
    { schema: { summary: 'as lamina remove NAME', params: named, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'remove',
        words: () => ['--', request.params.name],
        request: { container: request.params.name },
        changesNothing: false,
      }),
  );
  addMountActions(app, run);
}

function addMountActions(app: App, run: Run): void {
  app.post(
    '/containers/:name/mount',
    { schema: { summary: 'as lamina mount NAME DIR', params: named, body: bodies.mountBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'mount',
        words: () => words.mountWords(request.params.name, request.body),
        request: { container: request.params.name, ...request.body },
        changesNothing: false,
      }),
  );
  app.post(
    '/containers/:name/umount',
    { schema: { summary: 'as lamina umount NAME', params: named, body: bodies.umountBody, response: begun } },
    (request, reply) =>
      run(request, reply, {
        command: 'umount',
        words: () => ['--', request.params.name],
        request: { container: request.params.name },
        changesNothing: false,
      }),
  );
}
