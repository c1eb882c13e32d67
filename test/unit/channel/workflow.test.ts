import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { rotateKey } from '../../../src/channel/index.js';
import type { ChannelWorld } from '../../support/channels.js';
import { serveRepository } from '../../support/served-repository.js';
import type { StaticServer } from '../../support/static-server.js';
import { canonical, sha256Of } from '../../support/tuf-repository.js';
import type { RoleName, TufRepository } from '../../support/tuf-repository.js';

/** The client workflow of the specification, section by section; a repository that may sign anything. */
let world: ChannelWorld;
let repository: TufRepository;
let server: StaticServer;

beforeEach(async () => {
  ({ world, repository, server } = await serveRepository());
});

afterEach(async () => {
  await server.stop();
  world.remove();
});

const kept = (name: string, follower = 'follower') => readFileSync(join(world.path(follower), `${name}.json`));
const keptVersion = (name: string, follower = 'follower') =>
  (JSON.parse(kept(name, follower).toString()) as { signed: { version: number } }).signed.version;
const refresh = async (follower = 'follower') => (await world.client(server.url, follower)).refresh();
const refused = async (code: string, message = '', follower = 'follower') => {
  await expect(refresh(follower)).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
};
const below: readonly RoleName[] = ['targets', 'rollout', 'snapshot', 'timestamp'];
const past = '2020-01-01T00:00:00Z';

describe('5.3: roots', () => {
  it('are followed one by one, a thousand at a time, and gone on with at the next poll', async () => {
    const root = repository.signed('root');
    const last = 1030;
    for (let version = 2; version <= last; version++) repository.put('root', { ...root, version });
    await refused('CHANNEL_DAMAGED', 'more than 1024 new roots');
    expect(keptVersion('root')).toBe(1025);
    await refresh();
    expect(keptVersion('root')).toBe(last);
  }, 120_000);

  it('do not skip a version, nor repeat one', async () => {
    const root = repository.signed('root');
    repository.put('root', { ...root, version: 3 }, { under: 2 });
    await refused('CHANNEL_ROLLED_BACK', "'root'");
    repository.put('root', { ...root, version: 1 }, { under: 2 });
    await refused('CHANNEL_ROLLED_BACK', "'root'", 'other');
    expect(keptVersion('root')).toBe(1);
  });

  it('are signed by the old keys and by the new ones', async () => {
    const root = repository.signed('root');
    const { id, key } = repository.newKey('other');
    const roles = { ...(root['roles'] as object), root: { keyids: [id], threshold: 1 } };
    const next = { ...root, version: 2, roles, keys: { ...(root['keys'] as object), [id]: key } };
    for (const by of ['root', 'other']) {
      repository.put('root', next, { by });
      await refused('CHANNEL_UNTRUSTED', "'root'", by);
    }
    repository.addKey('root', id, repository.keysOf('other')[0]!.privateKey);
    repository.put('root', next);
    await refresh();
    expect(keptVersion('root')).toBe(2);
  });

  it('that have expired are kept, and end the refresh; a newer one helps', async () => {
    await refresh();
    repository.change('root', (root) => (root.expires = past));
    await refused('CHANNEL_EXPIRED', `'root' of ${server.url} expired at ${past}`);
    expect([keptVersion('root'), keptVersion('timestamp')]).toEqual([2, 2]);
    repository.put('root', { ...repository.signed('root'), version: 3, expires: '2100-01-01T00:00:00Z' });
    await refresh();
    expect(keptVersion('root')).toBe(3);
  });

  it.each([
    ['one key under two ids', (hex: string) => hex.toUpperCase(), /the key [0-9a-f]{16} has two ids/],
    ['an id that is not that of its key', (hex: string) => hex, /has not the id that belongs to it/],
  ])('do not count %s', async (what, again, message) => {
    const root = repository.signed('root');
    const { id, key, hex, privateKey } = repository.newKey('timestamp');
    const second = { ...key, keyval: { public: again(hex) } };
    const other = what.startsWith('one') ? sha256Of(canonical(second)) : '0'.repeat(64);
    repository.addKey('timestamp', other, privateKey);
    const roles = { ...(root['roles'] as object), timestamp: { keyids: [id, other], threshold: 2 } };
    repository.change('root', (next) => {
      Object.assign(next, { roles, keys: { ...(root['keys'] as object), [id]: key, [other]: second } });
    });
    await expect(refresh()).rejects.toMatchObject({
      code: 'CHANNEL_DAMAGED',
      message: expect.stringMatching(message) as string,
    });
  });

  it('that are kept and damaged are no fault of the server', async () => {
    await refresh();
    writeFileSync(join(world.path('follower'), 'root.json'), '{"signed":');
    await expect(refresh()).rejects.toMatchObject({
      code: 'TRUST_DAMAGED',
      message: expect.stringContaining(world.path('follower')) as string,
      exitCode: 5,
    });
  });
});

describe('5.4 to 5.6: a role', () => {
  it.each(below)('%s is not rolled back', async (role) => {
    const before = repository.signed(role);
    repository.change(role, () => undefined);
    const seen = await refresh();
    const low = repository.put(role, before);
    repository.refer(role, low);
    await refused('CHANNEL_ROLLED_BACK');
    // What was read before stays, and what is newer is read again.
    repository.change(role, (signed) => (signed.version += 5));
    expect((await refresh()).state.updates).toEqual(seen.state.updates);
  });

  it.each(below)('%s that has expired ends the refresh, and is not kept', async (role) => {
    await refresh();
    const version = keptVersion(role);
    repository.change(role, (signed) => (signed.expires = past));
    await refused('CHANNEL_EXPIRED', `'${role}' of ${server.url} expired at ${past}`);
    expect(keptVersion(role)).toBe(version);
  });

  it.each(['never', '', '2030-13-45T00:00:00Z'])('does not live for ever by the expiry %j', async (expires) => {
    for (const role of below) {
      repository.change(role, (signed) => (signed.expires = expires));
      await refused('CHANNEL_DAMAGED', `'${role}' of ${server.url} is not valid: its expiry is not a time`, role);
      repository.change(role, (signed) => (signed.expires = '2100-01-01T00:00:00Z'));
    }
  });

  it.each(below)('%s has a version that another one can follow', async (role) => {
    const before = await refresh();
    repository.change(role, (signed) => (signed.version = 2 ** 53));
    await refused('CHANNEL_DAMAGED', 'its version is not one that another can follow');
    expect(before.state.updates).toHaveLength(1);
  });

  it.each(below)('%s that its keys have not signed is refused', async (role) => {
    repository.newKey('stranger');
    repository.change(role, () => undefined, { by: 'stranger' });
    await refused('CHANNEL_UNTRUSTED', `'${role}'`);
  });

  it.each(below)('%s is not what another role signed', async (role) => {
    repository.change(role, (signed) => (signed['_type'] = role === 'timestamp' ? 'snapshot' : 'timestamp'));
    await refused('CHANNEL_DAMAGED', `'${role}'`);
  });
});

describe('5.4: a timestamp', () => {
  it('of the same version with other content is discarded, and guards no less than before', async () => {
    const old = repository.signed('timestamp');
    const snapshot = repository.signed('snapshot');
    repository.change('snapshot', () => undefined);
    await refresh();
    const before = kept('timestamp');
    const same = { ...repository.signed('timestamp'), meta: old['meta'], expires: '2100-01-01T00:00:00Z' };
    repository.put('timestamp', same);
    expect((await refresh()).state.updates).toHaveLength(1);
    expect(kept('timestamp')).toEqual(before);
    // Else the older snapshot could now be named by a newer timestamp.
    repository.put('snapshot', snapshot);
    repository.put('timestamp', { ...same, version: same.version + 1 });
    await refused('CHANNEL_ROLLED_BACK', "'timestamp'");
  });

  it('that was believed and has expired is named, not what comes after it', async () => {
    await refresh();
    const later = new Date(Date.now() + 8 * 24 * 3_600_000);
    const client = await world.client(server.url, 'follower', { now: () => later });
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'CHANNEL_EXPIRED',
      message: expect.stringContaining("'timestamp'") as string,
    });
  });
});

describe('5.5: a snapshot', () => {
  it('goes on listing what it has listed', async () => {
    await refresh();
    repository.change('snapshot', (signed) => delete (signed['meta'] as Record<string, unknown>)['rollout.json']);
    await refused('CHANNEL_DAMAGED', 'rollout.json');
  });

  it('needs no lengths and digests: then signatures and versions decide', async () => {
    for (const role of ['targets', 'rollout'] as const)
      repository.refer(role, { version: repository.signed(role).version });
    repository.refer('snapshot', { version: repository.signed('snapshot').version });
    expect((await refresh()).state.updates).toHaveLength(1);
    repository.put('targets', { ...repository.signed('targets'), version: 9 }, { under: 2 });
    await refused('CHANNEL_ROLLED_BACK', "'targets'", 'other');
  });

  it.each([
    ['snapshot', limits.channelRoles.value],
    ['rollout', limits.channelRoles.value],
    ['targets', limits.channelMetadata.value],
  ] as const)('or a timestamp cannot make a machine read %s without end', async (role, most) => {
    repository.refer(role, { version: 99, length: 1e15 });
    server.intervene = (path, _request, response) => {
      if (!path.endsWith(`99.${role}.json`)) return false;
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
      };
      response.on('drain', pour);
      pour();
      return true;
    };
    await refused('CHANNEL_TOO_LONG', String(most));
  });

  it('that is missing, or targets that are, is an incomplete mirror', async () => {
    for (const role of ['snapshot', 'targets', 'rollout'] as const) {
      const path = join(world.public, repository.path(role, repository.signed(role).version));
      renameSync(path, `${path}.away`);
      await refused('CHANNEL_INCOMPLETE', `${role}.json`, role);
      renameSync(`${path}.away`, path);
    }
  });

  it('with new keys frees machines from the highest versions of targets that a thief signed', async () => {
    await refresh();
    const directory = join(world.public, 'metadata');
    const honest = readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))] as const);
    for (const role of ['targets', 'rollout'] as const)
      repository.change(role, (signed) => (signed.version = Number.MAX_SAFE_INTEGER));
    await refresh();
    // The publisher restores what was there, and replaces the keys.
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    for (const [name, bytes] of honest) writeFileSync(join(directory, name), bytes);
    await refused('CHANNEL_ROLLED_BACK');
    for (const role of ['snapshot', 'timestamp'] as const)
      await rotateKey({ ...world.signing, role, newPassphrase: undefined });
    expect((await refresh()).state.updates).toMatchObject([{ name: 'one' }]);
    expect(keptVersion('targets')).toBe(2);
  });
});
