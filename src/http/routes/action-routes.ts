import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { document, jobAnswer } from '../documents.js';
import { requireChange } from '../guard.js';
import { callerName, callerOfRequest } from '../served.js';
import { shownRequest } from '../shown-request.js';
import type { App, Served } from '../served.js';
import * as bodies from './action-bodies.js';
import * as words from './action-words.js';
import { answers, named } from './shapes.js';

interface Action {
  readonly command: string;
  readonly words: () => readonly string[] | Promise<readonly string[]>;
  /** What was asked for, as the audit log shows it. */
  readonly request: Readonly<Record<string, unknown>>;
  /** A dry run, or a check: whoever may read may have it done. */
  readonly changesNothing: boolean;
}

type Run = (request: FastifyRequest, reply: FastifyReply, action: Action) => Promise<FastifyReply>;

/** Every action is a job, and in the audit log from before it begins. */
export function addActionRoutes(app: App, served: Served): void {
  const { jobs, audit, rules } = served;
  const run: Run = async (request, reply, { command, changesNothing, ...action }) => {
    const asked = shownRequest(action.request);
    const caller = callerOfRequest(served, request);
    const by = callerName(caller);
    let args: readonly string[];
    try {
      if (!changesNothing) requireChange(caller, rules);
      args = await action.words();
    } catch (error) {
      audit.refuse({ by, action: command, request: asked, time: isoNow() }, messageOf(error));
      throw error;
    }
    const dryRun = asked['dryRun'] === true || changesNothing;
    const { id } = await jobs.start({ command, args, request: asked, dryRun, by });
    return reply
      .code(202)
      .header('location', `/api/v1/jobs/${id}`)
      .send(document({ job: jobs.getWhole(id) }));
  };
  addUpdateActions(app, run);
  addContainerActions(app, run);
  addStoreActions(app, run);
}

const begun = answers(jobAnswer, 202);

function addUpdateActions(app: App, run: Run): void {
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

function addContainerActions(app: App, run: Run): void {
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
}

function addStoreActions(app: App, run: Run): void {
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
}
