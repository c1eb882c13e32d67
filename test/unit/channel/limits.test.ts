import { lchownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { carrierOf } from '../../../src/channel/index.js';
import { encodeContent, parseChannel, parseRollout } from '../../../src/channel/content.js';
import { packageTarget } from '../../../src/channel/names.js';
import { isMachineRoot } from '../../../src/platform/privileges.js';
import { ChannelWorld } from '../../support/channels.js';
import { StaticServer } from '../../support/static-server.js';

let world: ChannelWorld;
let server: StaticServer;

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  server = await StaticServer.start(world.public);
});

afterEach(async () => {
  await server.stop();
  world.remove();
});

const sha256 = 'a'.repeat(64);
const entry = (sequence: number) => ({
  sequence,
  name: `update-${sequence}`,
  package: { path: packageTarget(sha256), sha256, bytes: 1 },
  group: null,
  percent: 100,
  from: null,
  to: null,
  publishedAt: '2026-01-01T00:00:00.000Z',
});
const channelOf = (count: number) =>
  encodeContent({ version: 1, base: 'debian', updates: Array.from({ length: count }, (_, i) => entry(i + 1)) });

describe('the limits of a channel', () => {
  it("'channel roles' is that of a root whose size nothing says, and of one that is given", async () => {
    const client = await world.client(server.url);
    const long = Buffer.alloc(limits.channelRoles.value + 1, ' ');
    server.replaced.set('metadata/2.root.json', long);
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'CHANNEL_TOO_LONG',
      message: expect.stringContaining(String(limits.channelRoles.value)) as string,
    });
    world.root = long;
    await expect(world.client(server.url, 'other')).rejects.toMatchObject({ code: 'CHANNEL_DAMAGED' });
  });

  it("'channel content' holds the list of as many updates as 'channel updates' allows", () => {
    const bytes = channelOf(limits.channelUpdates.value);
    expect(bytes.length).toBeLessThan(limits.channelContent.value);
    expect(parseChannel(bytes).updates).toHaveLength(limits.channelUpdates.value);
    expect(() => parseChannel(channelOf(limits.channelUpdates.value + 1))).toThrow(/channel updates/);
  });

  it("'channel package' is the largest that is downloaded", async () => {
    const client = await world.client(server.url);
    const update = await world.publish('one');
    const large = { ...update, package: { ...update.package, bytes: limits.channelPackage.value + 1 } };
    await expect(client.download(large, world.path('packages'))).rejects.toMatchObject({ code: 'CHANNEL_DAMAGED' });
  });
});

describe('what the documents of a channel may say', () => {
  it.each([
    ['no document', 'x', /not valid/],
    ['an unknown field', '{"version":1,"base":null,"updates":[],"extra":1}', /not valid/],
    ['a newer format', '{"version":2}', /format 2/],
    ['updates for no base', encodeContent({ version: 1, base: null, updates: [entry(1)] }), /for no base/],
    ['a gap', encodeContent({ version: 1, base: 'b', updates: [entry(2)] }), /not the next one/],
    [
      'one name twice',
      encodeContent({ version: 1, base: 'b', updates: [entry(1), { ...entry(1), sequence: 2 }] }),
      /one name/,
    ],
    [
      'a package by another name',
      encodeContent({ version: 1, base: 'b', updates: [{ ...entry(1), package: { path: '../x', sha256, bytes: 1 } }] }),
      /misnamed/,
    ],
  ])('is refused: %s', (_what, text, message) => {
    expect(() => parseChannel(Buffer.from(text))).toThrow(message);
  });

  it.each([
    '[]',
    '{"version":1,"updates":{"one":{"percent":101,"withdrawn":false,"withNewer":false}}}',
    '{"version":1}',
  ])('is refused of a rollout: %s', (text) => {
    expect(() => parseRollout(Buffer.from(text))).toThrow(/rollout.json of the channel is signed, but not valid/);
  });
});

describe('a directory that is no channel', () => {
  it('has no timestamp', async () => {
    const empty = world.makeDirectory('empty');
    await expect((await world.client(empty)).refresh()).rejects.toMatchObject({ code: 'CHANNEL_INCOMPLETE' });
  });

  it('has something else than a file under the name', async () => {
    mkdirSync(world.path('odd/metadata/timestamp.json'), { recursive: true });
    writeFileSync(join(world.path('odd'), 'x'), '');
    await expect((await world.client(world.path('odd'))).refresh()).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
    });
  });
});

describe.skipIf(!isMachineRoot())('a directory that others may write', () => {
  it('gets nothing where a symlink of another user leads elsewhere', async () => {
    const [shared, elsewhere] = [world.makeDirectory('shared'), world.makeDirectory('elsewhere')];
    symlinkSync(elsewhere, join(shared, 'reports'));
    const carrier = carrierOf(shared);
    await carrier.write?.('reports/m-1.json', Buffer.from('{}'));
    expect(readdirSync(elsewhere)).toEqual(['m-1.json']);
    lchownSync(join(shared, 'reports'), 1000, 1000);
    await expect(carrier.write?.('reports/m-2.json', Buffer.from('{}'))).rejects.toMatchObject({
      code: 'FOREIGN_SYMLINK',
    });
    expect(readdirSync(elsewhere)).toEqual(['m-1.json']);
  });
});
