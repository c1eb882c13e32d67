import * as z from 'zod';
import { version } from '../../base/version.js';
import { isoNow } from '../../base/time.js';
import { answerOf, document, storeAnswer } from '../documents.js';
import { toText } from '../../base/bytes.js';
import { callerOfRequest } from '../served.js';
import type { App, Served } from '../served.js';
import { answers, name, named } from './shapes.js';

/** What holds for the whole store. */
export function addStoreRoutes(app: App, served: Served): void {
  const { store, status } = served;
  app.get(
    '/store',
    { schema: { summary: 'the server, and what the caller may do', response: answers(storeAnswer) } },
    async (request) => {
      const { generationOf } = await import('../../app/served.js');
      const { token, mayChange } = callerOfRequest(served, request);
      const generation = await generationOf(store);
      const place = toText(store.paths.root);
      return document({
        store: place,
        version,
        generation,
        allowChanges: mayChange,
        token,
        serverTime: isoNow(),
      });
    },
  );
  app.get('/status', { schema: { summary: 'as lamina status', response: answers(answerOf('status')) } }, async () =>
    document(await status.read()),
  );
  app.get(
    '/bases',
    { schema: { summary: 'as lamina base list', response: answers(answerOf('base list')) } },
    async () => {
      const { baseList } = await import('../../app/bases.js');
      return document({ bases: await baseList(store) });
    },
  );
  app.get(
    '/bases/:name',
    { schema: { summary: 'as lamina base show', params: named, response: answers(answerOf('base show')) } },
    async ({ params }) => {
      const { baseShow } = await import('../../app/base-show.js');
      return document(await baseShow(store, params.name));
    },
  );
  addWholeRoutes(app, served);
}

const ofBase = z.strictObject({ base: name.optional() });

function addWholeRoutes(app: App, { store, commands }: Served): void {
  app.get(
    '/graph',
    { schema: { summary: 'as lamina graph', querystring: ofBase, response: answers(answerOf('graph')) } },
    async ({ query }) => {
      const { graphOf } = await import('../../app/served.js');
      return document({ graph: await graphOf(store, query.base) });
    },
  );
  app.get(
    '/displaced',
    { schema: { summary: 'as lamina displaced list', response: answers(answerOf('displaced list')) } },
    async () => document(await commands.read('displaced', 'list')),
  );
}
