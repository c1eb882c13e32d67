import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { applyFromChannel } from '../../../src/agent/apply-offered.js';
import { dropDownloads } from '../../../src/agent/downloads.js';
import type { Follower } from '../../../src/agent/follower.js';
import { fromText } from '../../../src/base/bytes.js';
import { ChannelWorld, impatient } from '../../support/channels.js';
import { stateOf, updateNumber } from '../../support/fleet.js';
import { StaticServer } from '../../support/static-server.js';

it('what was received of withdrawn updates is dropped, and nothing that is still needed', async () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-downloads-')));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
  });
  const updates = [updateNumber(1), updateNumber(2, { withdrawn: true }), updateNumber(3)];
  const [one, two, three] = updates.map((each) => each.package.sha256);
  for (const name of [`${one}.tar.part`, `${two}.tar.part`, `${two}.tar`, `${three}.tar`, 'strange'])
    writeFileSync(join(directory, name), 'x');
  const paths = { downloads: fromText(directory) } as Parameters<typeof dropDownloads>[0];
  await dropDownloads(paths, stateOf(...updates));
  expect(readdirSync(directory).sort()).toEqual([`${one}.tar.part`, `${three}.tar`].sort());
  await dropDownloads({ ...paths, downloads: fromText(join(directory, 'missing')) }, stateOf());
});

it('a download has its turn, and goes on in the next one: a slow server keeps the agent from nothing else', async () => {
  const world = new ChannelWorld();
  await world.make();
  const server = await StaticServer.start(world.public);
  onTestFinished(async () => {
    await server.stop();
    world.remove();
  });
  const update = await world.publish('one', { bytes: 300_000 });
  const path = `targets/${update.package.sha256}.${update.package.path}`;
  const whole = readFileSync(join(world.public, path));
  const asked: number[] = [];
  // A piece for each request, and nothing after it.
  server.intervene = (given, request, response) => {
    if (given !== path) return false;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push(from);
    const range = { 'Content-Range': `bytes ${from}-${whole.length - 1}/${whole.length}` };
    response.writeHead(from > 0 ? 206 : 200, { ...range, 'Content-Length': whole.length - from });
    response.write(whole.subarray(from, from + 100_000));
    return true;
  };
  const client = await world.client(server.url, 'follower', { patience: { ...impatient, idleMs: 60_000 } });
  await client.refresh();
  const follower = {
    client,
    paths: { downloads: fromText(world.path('downloads')) },
    signal: new AbortController().signal,
    downloadMs: 2000,
  } as Follower;
  for (const turn of [1, 2]) {
    const outcome = await applyFromChannel(follower, update, 1);
    expect(outcome).toMatchObject({ outcome: 'waiting', again: true, error: { code: 'DOWNLOADING' } });
    expect(readFileSync(join(world.path('downloads'), `${update.package.sha256}.tar.part`))).toHaveLength(
      turn * 100_000,
    );
  }
  expect(asked).toEqual([0, 100_000]);
  server.intervene = () => false;
  expect(readFileSync(await client.download(update, world.path('downloads')))).toEqual(whole);
});
