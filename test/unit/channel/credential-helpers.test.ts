import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askHelper } from '../../../src/channel/carrier/oci/credential-helper.js';
import { carrierOf, pushChannel } from '../../../src/channel/index.js';
import { ChannelWorld, impatient } from '../../support/channels.js';
import { LoginRegistry } from '../../support/login-registry.js';

let world: ChannelWorld;
let registry: LoginRegistry;

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  registry = new LoginRegistry();
  await registry.start();
  vi.stubEnv('PATH', `${world.makeDirectory('bin')}:${process.env['PATH'] ?? ''}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
  registry.stop();
  world.remove();
});

/** A program `docker-credential-NAME`; what it was asked lies in `asked-NAME`. */
function helper(name: string, script: string): void {
  const text = `#!/bin/sh\n{ echo "$@"; cat; } >${world.path(`asked-${name}`)}\n${script}\n`;
  writeFileSync(world.path('bin', `docker-credential-${name}`), text, { mode: 0o755 });
}

function auth(document: object): string {
  const file = world.path('auth.json');
  writeFileSync(file, JSON.stringify(document));
  vi.stubEnv('REGISTRY_AUTH_FILE', file);
  return file;
}

const answers = (user: string, secret: string) =>
  `echo '${JSON.stringify({ ServerURL: registry.address, Username: user, Secret: secret })}'`;
const inFile = (user: string, password: string) => ({
  [registry.address]: { auth: Buffer.from(`${user}:${password}`).toString('base64') },
});
const push = () =>
  pushChannel({
    directory: world.channel,
    to: carrierOf(`oci://${registry.address}/fleet/debian`, { patience: impatient }),
  });
const asked = (name: string) => readFileSync(world.path(`asked-${name}`), 'utf8');

describe('a credential helper of the auth file', () => {
  it('that credHelpers names for the registry gives the login, whatever the file has', async () => {
    helper('right', answers('robot', 'secret'));
    auth({ credHelpers: { [registry.address]: 'right' }, auths: inFile('robot', 'wrong') });
    await expect(push()).resolves.toMatchObject({ version: 1 });
    expect(asked('right')).toBe(`get\n${registry.address}\n`);
  });

  it('that credsStore names gives it where the file has none', async () => {
    helper('store', answers('robot', 'secret'));
    auth({ credsStore: 'store', auths: { [registry.address]: {} } });
    await expect(push()).resolves.toMatchObject({ version: 1 });
    auth({ credsStore: 'absent', auths: inFile('robot', 'secret') });
    await expect(push()).resolves.toMatchObject({ version: 1 });
  });

  it('is not asked for another registry', async () => {
    helper('other', answers('robot', 'wrong'));
    auth({ credHelpers: { 'registry.example.org': 'other' }, auths: inFile('robot', 'secret') });
    await expect(push()).resolves.toMatchObject({ version: 1 });
    expect(existsSync(world.path('asked-other'))).toBe(false);
  });

  it('may have no login: then the registry refuses', async () => {
    helper('empty', "echo 'credentials not found in native keychain'; exit 1");
    auth({ credHelpers: { [registry.address]: 'empty' } });
    await expect(push()).rejects.toMatchObject({
      code: 'CHANNEL_LOGIN',
      message: expect.stringContaining('has no login for it') as string,
    });
  });

  it('may give an identity token', async () => {
    helper('token', answers('<token>', 'eyJ'));
    await expect(askHelper('token', registry.address, {})).resolves.toEqual({
      user: '',
      password: '',
      identityToken: 'eyJ',
    });
  });

  it.each([
    ['does not exist', '', 'no such program'],
    ['fails', "echo 'the key ring is \u001b[31mlocked'; exit 3", 'exit code 3: the key ring is \\x1b[31mlocked'],
    ['answers something else', 'echo \'{"Secret":"s3cr3t"}\'', 'its answer is not'],
    ['answers without an end', 'exec yes \'{"Secret":"s3cr3t"}\'', 'more than 262144 bytes'],
  ])('that %s is an error that names it and the file', async (_what, script, words) => {
    if (script !== '') helper('odd', script);
    const file = auth({ credHelpers: { [registry.address]: 'odd' } });
    const thrown = await push().then(
      () => undefined,
      (error: unknown) => error as Error & { hint: string },
    );
    expect(thrown).toMatchObject({ code: 'CHANNEL_LOGIN' });
    expect(thrown?.message).toContain(`the credential helper 'odd' has no login for ${registry.address}: `);
    expect(thrown?.message).toContain(words);
    expect(thrown?.message).not.toContain('s3cr3t');
    expect(thrown?.hint).toContain(file);
  });

  it('that does not end is ended, and at once where the command is interrupted', async () => {
    helper('slow', 'exec sleep 60');
    await expect(askHelper('slow', 'r', { timeoutMs: 100 })).rejects.toThrow('did not end within 0.1 s');
    const controller = new AbortController();
    const stopped = askHelper('slow', 'r', { signal: controller.signal });
    setTimeout(() => {
      controller.abort(new Error('interrupted'));
    }, 50);
    await expect(stopped).rejects.toThrow('interrupted');
  });

  it.each(['../evil', 'a/b', '', '-x', 'a b'])('is not called %j', async (name) => {
    await expect(askHelper(name, 'r', {})).rejects.toThrow('not the name of a helper');
  });
});

describe('the login of podman login', () => {
  it('is found in the directory of the session, also by root', async () => {
    const runtime = world.makeDirectory('runtime/containers');
    vi.stubEnv('REGISTRY_AUTH_FILE', '');
    vi.stubEnv('XDG_RUNTIME_DIR', world.path('runtime'));
    writeFileSync(`${runtime}/auth.json`, JSON.stringify({ auths: inFile('robot', 'secret') }));
    await expect(push()).resolves.toMatchObject({ version: 1 });
  });
});
