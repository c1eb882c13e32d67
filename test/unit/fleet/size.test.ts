import { setMaxListeners } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { mapLimit } from '../../../src/base/concurrency.js';
import { carrierOf } from '../../../src/channel/index.js';
import { enroll, readMachines, readReports, reportPath, summariesOf } from '../../../src/fleet/index.js';
import { ChannelWorld } from '../../support/channels.js';
import { newMachine, outcomeReport, signedReport, stateOf, updateNumber } from '../../support/fleet.js';
import { StaticServer } from '../../support/static-server.js';

/** `LAMINA_FLEET_SIZE=10000` for the size that docs/following.md has figures of. Nothing here depends on speed. */
const size = Number(process.env['LAMINA_FLEET_SIZE'] ?? '50');
const signal = new AbortController().signal;
// Each of those that poll at once listens to it.
setMaxListeners(64, signal);
const say = (text: string) => process.stdout.write(`${text}\n`);

describe('a large fleet', () => {
  it('polls by one conditional request a machine', { timeout: 900_000 }, async () => {
    const world = new ChannelWorld();
    await world.make();
    await world.publish('one');
    const server = await StaticServer.start(world.public);
    try {
      const clients = await mapLimit(Array.from({ length: size }).keys(), 32, async (number) => {
        const client = await world.client(server.url, `machine-${String(number)}`);
        expect((await client.refresh(signal)).changed).toBe(true);
        return client;
      });
      server.takeLog();
      const sockets = new Map<Socket, number>();
      const bytesOf = ({ bytesRead, bytesWritten }: Socket) => bytesRead + bytesWritten;
      server.intervene = (_, { socket }) => {
        // What it has read of this request already is counted by the next one on the connection.
        if (!sockets.has(socket)) sockets.set(socket, bytesOf(socket));
        return false;
      };
      const [cpu, began] = [process.cpuUsage(), performance.now()];
      await mapLimit(clients, 32, async (client) => {
        expect(await client.refresh(signal)).toMatchObject({ changed: false, bytes: 0 });
      });
      const { user, system } = process.cpuUsage(cpu);
      const seconds = (performance.now() - began) / 1000;
      const log = server.takeLog();
      expect(log.length).toBe(size);
      expect(new Set(log)).toEqual(new Set(['GET metadata/timestamp.json 304']));
      const bytes = [...sockets].reduce((sum, [socket, before]) => sum + bytesOf(socket) - before, 0) / size;
      expect(bytes).toBeLessThan(1000);
      const each = ((user + system) / 1000 / size).toFixed(2);
      const what = `${String(log.length)} requests, ${bytes.toFixed(0)} bytes each with headers both ways`;
      say(`${String(size)} polls: ${what}, ${each} ms of processor each, server included, ${seconds.toFixed(1)} s`);
    } finally {
      await server.stop();
      world.remove();
    }
  });

  it('is summed up from one report a machine', { timeout: 900_000 }, async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-size-')));
    onTestFinished(() => {
      rmSync(directory, { recursive: true });
    });
    mkdirSync(join(directory, 'reports'));
    const updates = Array.from({ length: 20 }, (_, i) => updateNumber(i + 1));
    const machines = Array.from({ length: size }, newMachine);
    let bytes = 0;
    for (const machine of machines) {
      const report = signedReport(
        machine,
        updates.map((update) => outcomeReport(update, 'applied')),
      );
      bytes += report.length;
      writeFileSync(join(directory, reportPath(machine.id)), report);
    }
    const file = fromText(join(directory, 'machines.json'));
    await enroll(
      file,
      machines.map(({ key }) => key),
      'operator',
    );
    const [cpu, began] = [process.cpuUsage(), performance.now()];
    const { reports, refused } = await readReports(carrierOf(directory), readMachines(file), { signal });
    const summaries = summariesOf(stateOf(...updates), reports);
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    expect(refused.count).toBe(0);
    expect(summaries[0]).toMatchObject({ offered: size, done: size });
    const processor = ((user + system) / 1e6).toFixed(1);
    const what = `${String(size)} reports of ${String(Math.round(bytes / size))} bytes`;
    say(`${what} read in ${seconds.toFixed(1)} s, ${processor} s of processor`);
  });
});
