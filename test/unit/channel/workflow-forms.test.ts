import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Targets } from '@tufjs/models';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/base/limits.js';
import { packageTarget } from '../../../src/channel/names.js';
import { ChannelWorld } from '../../support/channels.js';
import { serveRepository } from '../../support/served-repository.js';
import { StaticServer } from '../../support/static-server.js';
import { TufRepository, canonical, sha256Of } from '../../support/tuf-repository.js';
import type { RoleName, Signed } from '../../support/tuf-repository.js';

/** Metadata of odd forms: what is signed is not always what a publisher meant, and what is not signed is anything. */
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

const refresh = async (follower = 'follower') => (await world.client(server.url, follower)).refresh();
const all: readonly RoleName[] = ['root', 'targets', 'rollout', 'snapshot', 'timestamp'];

describe('fields that this version does not know', () => {
  it.each(all)('are signed with the rest, and change nothing: of %s', async (role) => {
    repository.change(role, (signed) => {
      signed['x-future'] = { deep: [1, null, true, 'ü\u2028"\\', { b: 2, a: 1 }] };
    });
    expect((await refresh()).state.updates).toHaveLength(1);
    const path = repository.path(role, repository.signed(role).version);
    const envelope = repository.envelope(repository.signed(role), role);
    Object.assign(envelope.signed, { 'x-future': 'other' });
    server.replaced.set(path, Buffer.from(JSON.stringify(envelope)));
    await expect(refresh('other')).rejects.toMatchObject({
      code: expect.stringMatching(/CHANNEL_(UNTRUSTED|MISMATCH)/) as string,
    });
  });

  it('and other roles, of the root and of the targets, are nobody’s', async () => {
    repository.change('root', (root) =>
      Object.assign(root['roles'] as object, { mirrors: { keyids: [], threshold: 1 } }),
    );
    repository.change('targets', ({ delegations }) => {
      const more = { name: 'other', keyids: [], threshold: 1, terminating: false, paths: ['*'] };
      (delegations as { roles: object[] }).roles.unshift(more);
    });
    expect((await refresh()).state.updates).toHaveLength(1);
    expect(server.takeLog().join('\n')).not.toContain('other');
  });
});

describe('signatures', () => {
  const put = (role: RoleName, edit: (envelope: { signatures: { keyid: string; sig: string }[] }) => void) => {
    const signed = repository.signed(role);
    signed.version += 1;
    const envelope = repository.envelope(signed, role);
    edit(envelope);
    repository.refer(role, repository.putBytes(role, signed.version, Buffer.from(JSON.stringify(envelope))));
  };

  it.each(all)('of one key do not count twice: of %s', async (role) => {
    put(role, ({ signatures }) => signatures.push(signatures[0]!));
    await expect(refresh()).rejects.toMatchObject({ code: 'CHANNEL_DAMAGED' });
  });

  it.each(all)('that are not valid count for nothing, and spoil nothing: of %s', async (role) => {
    put(role, ({ signatures }) => signatures.push({ keyid: '0'.repeat(64), sig: 'zz' }));
    expect((await refresh()).state.updates).toHaveLength(1);
    put(role, ({ signatures }) => {
      for (const each of signatures) each.sig = `${each.sig.slice(0, -2)}${each.sig.endsWith('0') ? '11' : '00'}`;
    });
    await expect(refresh('other')).rejects.toMatchObject({ code: 'CHANNEL_UNTRUSTED' });
  });

  it('of fewer keys than must sign are too few, whichever role it is', async () => {
    const two = new ChannelWorld();
    const web = await StaticServer.start(two.public);
    try {
      const keys = { count: 2, threshold: 2 };
      await two.make({ keys: { targets: keys, snapshot: keys, timestamp: keys, rollout: keys } });
      for (const role of all) {
        const signer = new TufRepository(two);
        const signed = signer.signed(role);
        signed.version += 1;
        const envelope = signer.envelope(signed, role);
        envelope.signatures.length = 1;
        signer.refer(role, signer.putBytes(role, signed.version, Buffer.from(JSON.stringify(envelope))));
        const follower = await two.client(web.url, role);
        await expect(follower.refresh()).rejects.toMatchObject({
          code: 'CHANNEL_UNTRUSTED',
          message: expect.stringContaining(`'${role}'`) as string,
        });
        signer.refer(role, signer.put(role, signed));
        await follower.refresh();
      }
    } finally {
      await web.stop();
      two.remove();
    }
  });

  it('of a role that names a key twice are refused', async () => {
    repository.change('root', ({ roles }) => {
      const { timestamp } = roles as { timestamp: { keyids: string[]; threshold: number } };
      timestamp.keyids.push(timestamp.keyids[0]!);
      timestamp.threshold = 2;
    });
    await expect(refresh()).rejects.toMatchObject({ code: 'CHANNEL_DAMAGED' });
  });
});

describe('the delegated role', () => {
  it('says nothing of what is not delegated to it', async () => {
    repository.change('targets', ({ delegations }) => {
      (delegations as { roles: { paths: string[] }[] }).roles[0]!.paths = ['other.json'];
    });
    await expect(refresh()).rejects.toMatchObject({
      code: 'CHANNEL_DAMAGED',
      message: expect.stringContaining('does not delegate rollout.json') as string,
    });
  });

  it('is not asked where the targets have the file themselves: that would be two answers', async () => {
    repository.change('targets', ({ targets }) => {
      Object.assign(targets as object, { 'rollout.json': { length: 1, hashes: { sha256: '0'.repeat(64) } } });
    });
    await expect(refresh()).rejects.toMatchObject({
      code: 'CHANNEL_DAMAGED',
      message: expect.stringContaining('signs rollout.json') as string,
    });
  });
});

describe('names of targets', () => {
  const names = [
    '../../../etc/passwd',
    '/etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    'a\0b',
    'x'.repeat(5000),
    '__proto__',
    'constructor',
    'ﬀ\u202egnp.rat',
    '',
  ];
  const file = { length: 1, hashes: { sha256: '0'.repeat(64) } };

  it('that are not of the channel are not asked for, and lead nowhere', async () => {
    repository.change('targets', (signed) => {
      const more = names.map((name) => [name, file] as const);
      signed['targets'] = Object.fromEntries([...Object.entries(signed['targets'] as object), ...more]);
    });
    const { state } = await refresh();
    expect(state.updates).toHaveLength(1);
    expect(server.takeLog().filter((line) => line.includes('targets/'))).toHaveLength(2);
    expect(readdirSync(world.path('follower')).sort()).toEqual(
      ['rollout', 'root', 'seen', 'snapshot', 'target-channel', 'target-rollout', 'targets', 'timestamp'].map(
        (name) => `${name}.json`,
      ),
    );
  });

  it.each(names.map((name) => [name.slice(0, 30), name]))('cannot be that of a package: %j', async (_shown, path) => {
    const targets = repository.signed('targets')['targets'] as Record<string, { hashes: { sha256: string } }>;
    const { sha256 } = targets['channel.json']!.hashes;
    const list = JSON.parse(readFileSync(join(world.public, 'targets', `${sha256}.channel.json`), 'utf8')) as {
      updates: { package: { path: string } }[];
    };
    list.updates[0]!.package.path = path;
    const bytes = Buffer.from(JSON.stringify(list));
    const digest = sha256Of(bytes);
    server.replaced.set(`targets/${digest}.channel.json`, bytes);
    repository.change('targets', (signed) => {
      const next = { 'channel.json': { length: bytes.length, hashes: { sha256: digest } }, [path]: file };
      signed['targets'] = next;
    });
    await expect(refresh()).rejects.toMatchObject({
      code: 'CHANNEL_CONTENT',
      message: expect.stringContaining('misnamed') as string,
    });
  });
});

describe('metadata that nobody signed', () => {
  const root = (more: object) => ({ ...repository.signed('root'), version: 2, ...more });
  const unsigned = (signed: object) => Buffer.from(JSON.stringify({ signatures: [], signed }));

  it('is not taken apart first: a root of many keys is too long', async () => {
    const keys = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, { keytype: '', keyval: {} }]));
    server.replaced.set('metadata/2.root.json', unsigned(root({ keys })));
    await expect(refresh()).rejects.toMatchObject({
      code: 'CHANNEL_TOO_LONG',
      message: expect.stringContaining(String(limits.channelRoles.value)) as string,
    });
  });

  it.each([
    ['deep', `{"signed":{"_type":"root","x":${'['.repeat(30_000)}${']'.repeat(30_000)}},"signatures":[]}`],
    ['no JSON', '{"signed"'],
    ['no object', '[]'],
    ['null', 'null'],
    ['of signatures that are none', '{"signed":{"_type":"root"},"signatures":{"length":1}}'],
    ['with a byte order mark', '\ufeff{}'],
  ])('is refused: %s', async (_what, text) => {
    for (const path of ['metadata/2.root.json', 'metadata/timestamp.json']) {
      server.replaced.clear();
      server.replaced.set(path, Buffer.from(text));
      await expect(refresh()).rejects.toMatchObject({
        code: expect.stringMatching(/CHANNEL_(DAMAGED|UNTRUSTED)/) as string,
      });
    }
  });

  it('cannot be put beside what is signed by a name that is there twice', async () => {
    const signed = repository.signed('timestamp');
    const forged: Signed = { ...signed, version: 900, expires: '2100-01-01T00:00:00Z' };
    const { signatures } = repository.envelope(signed, 'timestamp');
    const both = [canonical(signed), canonical(forged)];
    for (const [first, second] of [both, [...both].reverse()]) {
      const text = `{"signed":${first ?? ''},"signatures":${JSON.stringify(signatures)},"signed":${second ?? ''}}`;
      server.replaced.set('metadata/timestamp.json', Buffer.from(text));
      const outcome = await refresh().then(
        ({ state }) => state.expires,
        (error: unknown) => (error as { code: string }).code,
      );
      expect([signed.expires, 'CHANNEL_UNTRUSTED']).toContain(outcome);
    }
  });
});

describe('the targets of a channel with as many updates as one may have', () => {
  it('are read and written as those of a small one are', () => {
    const file = { length: 1, hashes: { sha256: '0'.repeat(64) }, custom: { a: 1 } };
    const path = (i: number) => packageTarget(sha256Of(String(i)));
    const of = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [path(i), file]));
    const form = { _type: 'targets', spec_version: '1.0.31', version: 2, expires: '2100-01-01T00:00:00Z' };
    for (const count of [0, 1, limits.channelUpdates.value]) {
      const data = { ...form, targets: of(count), other: 1 };
      const read = Targets.fromJSON(data);
      expect(Object.keys(read.targets)).toHaveLength(count);
      expect(read.toJSON()).toEqual(data);
    }
    const odd = JSON.parse('{"__proto__":{"length":1,"hashes":{}}}') as Record<string, object>;
    expect(Object.keys(Targets.fromJSON({ ...form, targets: odd } as never).targets)).toEqual(['__proto__']);
    for (const targets of ['x', { a: null }, { a: { length: 'x', hashes: {} } }])
      expect(() => Targets.fromJSON({ ...form, targets })).toThrow(TypeError);
  });
});
