import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { document, jobAnswer } from '../documents.js';
import { requireChange } from '../guard.js';
import { callerName, callerOfRequest } from '../served.js';
import type { App, Served } from '../served.js';
import { shownRequest } from '../shown-request.js';
import { actionWords } from './action-words.js';
import { actions } from './actions.js';
import type { Action, Body } from './actions.js';
import { answers, byId, named } from './shapes.js';

/** Every action is a job, and in the audit log from before it begins. */
export function addActionRoutes(app: App, served: Served): void {
  for (const action of actions) {
    const { method = 'POST', path: url, summary, body } = action;
    const params = url.includes(':name') ? { params: named } : url.includes(':id') ? { params: byId } : {};
    const schema = { summary, ...params, ...(body && { body }), response: answers(jobAnswer, 202) };
    app.route({ method, url, schema, handler: async (request, reply) => begin(served, action, request, reply) });
  }
}

async function begin(
  served: Served,
  action: Action,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { jobs, audit, rules } = served;
  const { command, of, alwaysDry, onlyReads } = action;
  const [subject] = Object.values(request.params as Readonly<Record<string, string>>);
  const body = { ...(request.body as Body | undefined), ...(alwaysDry && { dryRun: true }) };
  const asked = shownRequest({ ...(of !== undefined && { [of]: subject }), ...body });
  const caller = callerOfRequest(served, request);
  const by = callerName(caller);
  const changesNothing = onlyReads?.(body) === true;
  let args: readonly string[];
  try {
    if (!changesNothing) requireChange(caller, rules);
    args = await actionWords(action, subject, body);
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
}
