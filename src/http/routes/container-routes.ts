import * as z from 'zod';
import { answerOf, document, paged } from '../documents.js';
import { manifestStamp } from '../../app/served.js';
import type { App, Served } from '../served.js';
import { answers, mayName, named, page, part, pathQuery, several } from './shapes.js';

const listQuery = z.strictObject({
  base: mayName.optional(),
  state: mayName.optional(),
  filter: several.optional(),
  sort: mayName.optional(),
  ...page,
});

const pageQuery = z.strictObject(page);

export function addContainerRoutes(app: App, served: Served): void {
  const { store, status } = served;
  app.get(
    '/containers',
    {
      schema: {
        summary: 'as lamina list, in parts; base and state are short for filter=base=… and filter=state=…',
        querystring: listQuery,
        response: answers(paged('list')),
      },
    },
    async ({ query: { base, state, filter = [], sort, ...range } }) => {
      const { listed, select } = await import('../../app/container-list.js');
      const filters = [...filter];
      if (base !== undefined) filters.push(`base=${base}`);
      if (state !== undefined) filters.push(`state=${state}`);
      const { items, ...place } = part(select(listed(await status.read()), { filters, sort }), range);
      return document({ containers: items, ...place });
    },
  );
  app.get(
    '/containers/:name',
    { schema: { summary: 'as lamina status NAME', params: named, response: answers(answerOf('status', 1)) } },
    async ({ params }) => {
      const { oneContainer } = await import('../../app/container-list.js');
      return document(await oneContainer(store, await status.read(), params.name));
    },
  );
  addContentRoutes(app, served);
  addOriginRoutes(app, served);
}

/** What reads the content of a container, or of a node, is done by a separate process. */
function addContentRoutes(app: App, { commands, store }: Served): void {
  const changes = async (name: string, range: z.output<typeof pageQuery>) => {
    const stamp = manifestStamp(store);
    const data = await commands.readForParts(stamp, range.offset === 0, 'diff', '--', name);
    const { items, ...place } = part((data as { changes: readonly unknown[] }).changes, range);
    return document({ changes: items, ...place });
  };
  const addChanges = (what: string, of: string) => {
    app.get(
      `/${what}/:name/changes`,
      {
        schema: {
          summary: `as lamina diff NAME, in parts: what ${of} changes in the layers below it`,
          params: named,
          querystring: pageQuery,
          response: answers(paged('diff')),
        },
      },
      async ({ params, query }) => changes(params.name, query),
    );
    app.get(
      `/${what}/:name/diff`,
      {
        schema: {
          summary: `as lamina diff NAME --path PATH: what ${of} changes in a file`,
          params: named,
          querystring: pathQuery,
          response: answers(answerOf('diff', 1)),
        },
      },
      async ({ params, query }) => document(await commands.read('diff', `--path=${query.path}`, '--', params.name)),
    );
  };
  addChanges('containers', 'a container');
  addChanges('nodes', 'a node');
}

function addOriginRoutes(app: App, { commands }: Served): void {
  app.get(
    '/containers/:name/explain',
    {
      schema: {
        summary: 'as lamina explain NAME PATH: where a path comes from, and which command made it',
        params: named,
        querystring: pathQuery,
        response: answers(answerOf('explain')),
      },
    },
    async ({ params, query }) => document(await commands.read('explain', '--', params.name, query.path)),
  );
  app.get(
    '/containers/:name/processes',
    {
      schema: {
        summary: 'as lamina processes NAME: the processes in its root, and which of them need a restart',
        params: named,
        response: answers(answerOf('processes')),
      },
    },
    async ({ params }) => document(await commands.read('processes', '--', params.name)),
  );
}
