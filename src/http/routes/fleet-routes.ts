import * as z from 'zod';
import type { MachineData } from '../../app/channel/machines.js';
import { toText } from '../../base/bytes.js';
import { notFound } from '../../base/errors.js';
import { answerOf, document, paged } from '../documents.js';
import type { App, Served } from '../served.js';
import { answers, name, page, part } from './shapes.js';

const statusQuery = z.strictObject({ updates: z.coerce.number().int().min(1).max(1000).default(20) });
const machinesQuery = z.strictObject({ ...page });
const byMachine = z.strictObject({ machine: name });

/**
 * The machines of the channel that is published from here. Strangers may write to where their reports are, so reports
 * are read by a separate process.
 */
export function addFleetRoutes(app: App, { commands, channel }: Served): void {
  const read = async (command: string, options: readonly string[], names: readonly string[]) => {
    if (channel === undefined)
      throw notFound('no channel is published from this server', {
        code: 'NO_CHANNEL',
        hint: 'start lamina serve with --channel DIR, the directory that lamina channel init made',
      });
    const { directory, reports } = channel;
    const from = reports === undefined ? [] : [`--reports=${reports}`];
    return commands.read('channel', command, ...from, ...options, '--', toText(directory), ...names);
  };
  app.get(
    '/fleet',
    {
      schema: {
        summary: 'as lamina channel status: how far each update of the channel has come',
        querystring: statusQuery,
        response: answers(answerOf('channel status')),
      },
    },
    async ({ query }) => document(await read('status', [`--updates=${query.updates}`], [])),
  );
  app.get(
    '/fleet/machines',
    {
      schema: {
        summary: 'as lamina channel machines, in parts: the enrolled machines with what they reported',
        querystring: machinesQuery,
        response: answers(paged('channel machines')),
      },
    },
    async ({ query }) => {
      const { machines } = (await read('machines', [], [])) as { machines: readonly MachineData[] };
      const { items, ...place } = part(machines, query);
      return document({ machines: items, ...place });
    },
  );
  app.get(
    '/fleet/machines/:machine',
    {
      schema: {
        summary: 'as lamina channel machines DIR MACHINE: the report of one machine',
        params: byMachine,
        response: answers(answerOf('channel machines', 1)),
      },
    },
    async ({ params }) => document(await read('machines', [], [params.machine])),
  );
}
