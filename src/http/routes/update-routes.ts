import * as z from 'zod';
import type { LogData } from '../../app/log.js';
import { manifestStamp } from '../../app/served.js';
import { anyAnswerOf, answerOf, document, paged, updateCountsAnswer } from '../documents.js';
import type { App, Served } from '../served.js';
import { answers, mayName, mayPath, named, page, part } from './shapes.js';

const listQuery = z.strictObject({
  base: mayName.optional(),
  /** With those that ended. */
  all: z.enum(['true', 'false']).default('false'),
  ...page,
});

const logQuery = z.strictObject({
  /** Empty: of the run on the base. */
  container: mayName.default(''),
  /** A glob; empty: all. */
  path: mayPath.default(''),
  /** The place of the last operation that the caller has; operations are counted from 1. */
  after: z.coerce.number().int().min(0).max(100_000_000).default(0),
  limit: page.limit,
});

const outputQuery = z.strictObject({
  /** Empty: of the run on the base. */
  container: logQuery.shape.container,
  /** So many bytes of its end, at most. */
  last: z.coerce
    .number()
    .int()
    .min(1)
    .max(1 << 20)
    .default(256 << 10),
});

const logAnswer = answerOf('log').extend({ after: z.number().int(), total: z.number().int() });

export function addUpdateRoutes(app: App, served: Served): void {
  const { store } = served;
  addLogRoute(app, served);
  addOutputRoute(app, served);
  addCountsRoute(app, served);
  app.get(
    '/updates',
    {
      schema: {
        summary: 'as lamina update list, in parts; the newest last, those that ended (all=true) newest first',
        querystring: listQuery,
        response: answers(paged('update list')),
      },
    },
    async ({ query: { base, all, ...range } }) => {
      const { updateList } = await import('../../app/inspect.js');
      const { updates, ended } = await updateList(store, all === 'true');
      const ofBase = <T extends { readonly base: string }>(list: readonly T[]) =>
        base === undefined ? list : list.filter((each) => each.base === base);
      const { items, ...place } = part(ofBase(updates), range);
      return document({ updates: items, ...(ended && { ended: ofBase(ended) }), ...place });
    },
  );
  app.get(
    '/updates/:name',
    {
      schema: {
        summary: 'as lamina update show NAME|ID: what an update did, or how it ended',
        params: named,
        response: answers(anyAnswerOf('update show')),
      },
    },
    async ({ params }) => {
      const { updateShow } = await import('../../app/update-show.js');
      return document(await updateShow(store, params.name));
    },
  );
}

function addLogRoute(app: App, { store, commands }: Served): void {
  app.get(
    '/updates/:name/log',
    {
      schema: {
        summary: 'as lamina log NAME, in parts: the recorded operations of its run on the base, or for a container',
        params: named,
        querystring: logQuery,
        response: answers(logAnswer),
      },
    },
    async ({ params, query: { container, path, after, limit } }) => {
      const of = [
        ...(container === '' ? [] : [`--container=${container}`]),
        ...(path === '' ? [] : [`--path=${path}`]),
      ];
      const data = await commands.readForParts(manifestStamp(store), false, 'log', ...of, '--', params.name);
      const { items, total } = part((data as LogData).operations, { offset: after, limit });
      return document({ ...data, operations: items, after: after + items.length, total });
    },
  );
}

function addOutputRoute(app: App, { store }: Served): void {
  app.get(
    '/updates/:name/output',
    {
      schema: {
        summary: 'as lamina log NAME --output: the end of what its procedure printed on the base, or for a container',
        params: named,
        querystring: outputQuery,
        response: answers(answerOf('log', 1)),
      },
    },
    async ({ params, query: { container, last } }) => {
      const { runOutput } = await import('../../app/run-output.js');
      const of = container === '' ? undefined : container;
      return document(await runOutput(store, params.name, { container: of, most: last }));
    },
  );
}

function addCountsRoute(app: App, { store }: Served): void {
  app.get(
    '/update-counts',
    {
      schema: {
        summary: 'the updates, in how many containers each ended how, and the conflicts of each container',
        response: answers(updateCountsAnswer),
      },
    },
    async () => {
      const { updateCounts } = await import('../../app/update-counts.js');
      return document(await updateCounts(store));
    },
  );
}
