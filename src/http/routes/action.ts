import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { document, jobAnswer } from '../documents.js';
import { requireChange } from '../guard.js';
import { callerName, callerOfRequest } from '../served.js';
import { shownRequest } from '../shown-request.js';
import type { Served } from '../served.js';
import { answers } from './shapes.js';

/** What a request asks to have done. */
interface Action {
  readonly command: string;
  readonly words: () => readonly string[] | Promise<readonly string[]>;
  /** What was asked for, as the audit log shows it. */
  readonly request: Readonly<Record<string, unknown>>;
  /** A dry run, or a check: whoever may read may have it done. */
  readonly changesNothing: boolean;
}

export type Run = (request: FastifyRequest, reply: FastifyReply, action: Action) => Promise<FastifyReply>;

/** Every action is a job, and in the audit log from before it begins. */
export function runner(served: Served): Run {
  const { jobs, audit, rules } = served;
  return async (request, reply, { command, changesNothing, ...action }) => {
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
}

/** The answers of every action. */
export const begun = answers(jobAnswer, 202);
