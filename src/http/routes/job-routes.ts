import * as z from 'zod';
import { auditAnswer, document, jobAnswer, jobsAnswer } from '../documents.js';
import { followJob, positionOf } from '../jobs/job-events.js';
import { callerOfRequest, callerName } from '../served.js';
import type { App, Served } from '../served.js';
import type { StoreEvents } from '../store-events.js';
import { requireChange } from '../guard.js';
import { isoNow } from '../../base/time.js';
import { answers, byId, page, part } from './shapes.js';

export function addJobRoutes(app: App, served: Served, events: StoreEvents): void {
  const { jobs, audit, rules } = served;
  app.get('/jobs', { schema: { summary: 'the jobs, newest first', response: answers(jobsAnswer) } }, () =>
    document({ jobs: jobs.list() }),
  );
  app.get(
    '/jobs/:id',
    {
      schema: {
        summary: 'a job, with the end of its output, and the document of its command',
        params: byId,
        response: answers(jobAnswer),
      },
    },
    ({ params }) => document({ job: jobs.getWhole(params.id) }),
  );
  app.delete(
    '/jobs/:id',
    {
      schema: {
        summary: 'cancel a job, which then rolls back its changes',
        params: byId,
        response: answers(jobAnswer, 202),
      },
    },
    async (request, reply) => {
      const caller = callerOfRequest(served, request);
      const { id } = request.params;
      const job = jobs.get(id);
      // Whoever may begin it may end it: these run procedures in a dry run, too.
      if (!job.dryRun || job.command.startsWith('update ')) requireChange(caller, rules);
      await jobs.cancel(id);
      const entry = { by: callerName(caller), action: 'cancel', request: { job: id }, job: id, time: isoNow() };
      audit.end(audit.begin(entry), { outcome: 'done', message: null, ended: isoNow() });
      return reply.code(202).send(document({ job: jobs.getWhole(id) }));
    },
  );
  addEventRoutes(app, served, events);
  addAudit(app, served);
}

function addAudit(app: App, { audit }: Served): void {
  app.get(
    '/audit',
    {
      schema: {
        summary: 'the audit log: who did what, when, and the outcome; newest first, in parts',
        querystring: z.strictObject(page),
        response: answers(auditAnswer),
      },
    },
    ({ query }) => {
      const { items, ...place } = part(audit.list(), query);
      return document({ entries: items, ...place });
    },
  );
}

/** Events have ids: a reader that lost its connection says which it had last, and gets those after it. */
function addEventRoutes(app: App, { jobs, streams }: Served, events: StoreEvents): void {
  const produces = ['text/event-stream'];
  app.get(
    '/jobs/:id/events',
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'server-sent events of a job: progress, output and end',
        params: byId,
        produces,
      },
    },
    (request, reply) => {
      const { id } = request.params;
      const files = jobs.files(jobs.get(id).id);
      const from = positionOf(lastEventId(request.headers), files);
      // EventSource stops asking at this answer only.
      if (from.ended) return reply.code(204).send();
      followJob(streams.open(reply), files, from, () => jobs.get(id));
      return reply;
    },
  );
  app.get(
    '/events',
    {
      exposeHeadRoute: false,
      schema: { summary: 'server-sent events when the store or a job has changed: store and job', produces },
    },
    async (request, reply) => {
      await events.add(streams.open(reply), lastEventId(request.headers));
      return reply;
    },
  );
}

function lastEventId(headers: Readonly<Record<string, string | readonly string[] | undefined>>): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' ? id : undefined;
}
