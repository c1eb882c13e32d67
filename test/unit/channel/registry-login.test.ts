import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { carrierOf, pushChannel, readSmall } from '../../../src/channel/index.js';
import { ChannelWorld, impatient } from '../../support/channels.js';
import { LoginRegistry } from '../../support/login-registry.js';

let world: ChannelWorld;
let registry: LoginRegistry;

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  await world.publish('one');
  registry = new LoginRegistry();
  await registry.start();
});

afterEach(() => {
  vi.unstubAllEnvs();
  registry.stop();
  world.remove();
});

function logIn(auths: object): void {
  const file = world.path('auth.json');
  writeFileSync(file, JSON.stringify({ auths }));
  vi.stubEnv('REGISTRY_AUTH_FILE', file);
}

const login = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') });
const carrier = () => carrierOf(`oci://${registry.address}/fleet/debian`, { patience: impatient });
const push = () => pushChannel({ directory: world.channel, to: carrier() });

describe.each(['basic', 'token'] as const)('a registry that asks for a login (%s)', (scheme) => {
  beforeEach(() => {
    registry.scheme = scheme;
  });

  it('gets that of the auth file, for the longest part of the repository’s name', async () => {
    logIn({ [registry.address]: login('other', 'wrong'), [`${registry.address}/fleet`]: login('robot', 'secret') });
    await push();
    const client = await world.client(`oci://${registry.address}/fleet/debian`);
    const { state } = await client.refresh();
    expect(state.updates).toMatchObject([{ name: 'one' }]);
    await client.download(state.updates[0]!, world.path('packages'));
    if (scheme === 'token') expect(registry.asked).toContain('test repository:fleet/debian/metadata:pull,push');
  });

  it('is not asked again and again with a wrong one', async () => {
    logIn({ [registry.address]: login('robot', 'wrong') });
    await expect(push()).rejects.toMatchObject({ code: 'CHANNEL_LOGIN' });
  });

  it('is named where there is none, without what is in the file', async () => {
    logIn({});
    const refused = push();
    await expect(refused).rejects.toMatchObject({
      code: 'CHANNEL_LOGIN',
      hint: expect.stringContaining('login') as string,
    });
  });
});

describe('an auth file', () => {
  it.each([
    ['is no JSON', 'x'],
    ['holds no login', '{"auths":{"127.0.0.1":{"auth":"c2VjcmV0"}}}'],
  ])('that %s is named, and none of its content is shown', async (_what, text) => {
    const file = world.path('auth.json');
    writeFileSync(file, text.replace('127.0.0.1', registry.address));
    vi.stubEnv('REGISTRY_AUTH_FILE', file);
    const error = await push().then(
      () => undefined,
      (thrown: unknown) => thrown as Error,
    );
    expect(error).toMatchObject({ code: 'CHANNEL_LOGIN' });
    expect(error?.message).toContain(file);
    expect(error?.message).not.toContain('secret');
  });

  it('that is named and missing is an error', async () => {
    vi.stubEnv('REGISTRY_AUTH_FILE', world.path('missing.json'));
    await expect(push()).rejects.toMatchObject({ code: 'CHANNEL_LOGIN' });
  });
});

describe('a repository', () => {
  it('holds single files, too, each under a tag of its own', async () => {
    registry.scheme = 'token';
    logIn({ [registry.address]: login('robot', 'secret') });
    const to = carrier();
    await to.write?.('reports/m-1', Buffer.from('one'));
    await to.write?.('reports/m-2', Buffer.from('two'));
    expect(await readSmall(to, 'reports/m-2', { maxBytes: 10 })).toMatchObject({ bytes: Buffer.from('two') });
    expect(await readSmall(to, 'reports/m-3', { maxBytes: 10 })).toEqual({ status: 'absent' });
    await expect(readSmall(to, 'reports/m-2', { maxBytes: 2 })).rejects.toMatchObject({ code: 'CHANNEL_TOO_LONG' });
  });

  it.each(['oci://', 'oci://host', 'oci://host/UPPER', 'oci://host/a:tag', 'oci://host/../x', 'ftp://host/x', ''])(
    'has an address, which %s is not',
    (url) => {
      expect(() => carrierOf(url)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
    },
  );
});
