import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { carrierOf } from '../../../src/channel/index.js';
import { readReports } from '../../../src/fleet/index.js';
import { impatient } from '../../support/channels.js';
import { newMachine, outcomeReport, signedReport, updateNumber } from '../../support/fleet.js';
import { sha256Of } from '../../support/tuf-repository.js';

const running: Server[] = [];
let directory: string;

/** A server of an attacker; gives its address. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  host = '127.0.0.1',
): Promise<string> {
  const other = createServer(answer);
  running.push(other);
  await new Promise<void>((resolve) => other.listen(0, host, resolve));
  const { port, family } = other.address() as AddressInfo;
  return family === 'IPv6' ? `[${host}]:${port}` : `${host}:${port}`;
}

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-registry-')));
  writeFileSync(join(directory, 'none.json'), '{}');
  vi.stubEnv('REGISTRY_AUTH_FILE', join(directory, 'none.json'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const each of running.splice(0)) {
    each.closeAllConnections();
    each.close();
  }
  rmSync(directory, { recursive: true });
});

const carrier = (address: string) => carrierOf(`oci://${address}/fleet/debian`, { patience: impatient });
const read = async (address: string) => carrier(address).read('metadata/timestamp.json', { maxBytes: 1000 });
const logIn = (address: string) => {
  const auth = Buffer.from('robot:secret').toString('base64');
  writeFileSync(join(directory, 'auth.json'), JSON.stringify({ auths: { [address]: { auth } } }));
  vi.stubEnv('REGISTRY_AUTH_FILE', join(directory, 'auth.json'));
};

describe('the server of tokens that a registry names', () => {
  /** A registry that asks for a token of this realm; what it and the realm's server were sent. */
  async function registryWith(realm: (own: string) => string): Promise<{ address: string; sent: string[] }> {
    const sent: string[] = [];
    let address = '';
    address = await serve(({ headers: { authorization = 'nothing' } }, response) => {
      sent.push(authorization);
      response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="${realm(address)}",service="s"` }).end();
    });
    return { address, sent };
  }

  it.each([
    ['a newline', 'a\r\nx-evil: 1'],
    ['nothing', ''],
    ['a character that no header has', 'töken'],
    ['a megabyte', 'x'.repeat(1024 * 1024 - 100)],
  ])('gives no token that holds %s', async (_what, token) => {
    const tokens = await serve((_request, response) => response.end(JSON.stringify({ token })));
    const { address, sent } = await registryWith(() => `http://${tokens}/token`);
    await expect(read(address)).rejects.toMatchObject({
      code: 'CHANNEL_LOGIN',
      message: `http://${tokens}/token returned no token`,
    });
    expect(sent).toEqual(['nothing']);
  });

  it.each(['x', '[]', '{"token":1}', 'null', '{"access_token":{}}'])('answers with junk: %s', async (junk) => {
    const tokens = await serve((_request, response) => response.end(junk));
    const { address } = await registryWith(() => `http://${tokens}/token`);
    await expect(read(address)).rejects.toMatchObject({ code: 'CHANNEL_LOGIN' });
  });

  it.each(['', 'x', 'file:///etc/shadow', 'http://user:password@127.0.0.1:9/'])('is none: %j', async (realm) => {
    const { address } = await registryWith(() => realm);
    await expect(read(address)).rejects.toMatchObject({
      code: expect.stringMatching(/CHANNEL_(LOGIN|UNREACHABLE)/) as string,
      message: expect.not.stringContaining('password') as string,
    });
  });

  it('gives a token to the registry that asked, which sends it nowhere else', async () => {
    const elsewhere: string[] = [];
    const other = await serve(({ headers: { authorization = 'nothing' } }, response) => {
      elsewhere.push(authorization);
      response.writeHead(404).end();
    });
    const tokens = await serve((_request, response) => response.end('{"token":"secret"}'));
    const registry = await serve(({ headers }, response) => {
      const where = { Location: `http://${other}/v2/x` };
      const ask = { 'WWW-Authenticate': `Bearer realm="http://${tokens}/",service="s"` };
      response.writeHead(headers.authorization === 'Bearer secret' ? 307 : 401, { ...where, ...ask }).end();
    });
    expect(await read(registry)).toEqual({ status: 'absent' });
    expect(elsewhere).toEqual(['nothing']);
  });

  it('does not pass a login on where it redirects', async () => {
    const seen: string[] = [];
    const other = await serve(({ headers: { authorization = 'nothing' } }, response) => {
      seen.push(authorization);
      response.end('{"token":"x"}');
    });
    const tokens = await serve((_request, response) => response.writeHead(302, { Location: `http://${other}/` }).end());
    const { address } = await registryWith(() => `http://${tokens}/`);
    logIn(address);
    await expect(read(address)).rejects.toMatchObject({ code: 'CHANNEL_LOGIN' });
    expect(seen).toEqual(['nothing']);
  });
});

describe('a registry', () => {
  it.each(['http://[', 'file:///etc/passwd', 'ftp://127.0.0.1/'])(
    'cannot have %s as the place of an upload',
    async (at) => {
      const registry = await serve(({ method }, response) => {
        response.writeHead(method === 'POST' ? 202 : 404, { Location: at }).end();
      });
      await expect(carrier(registry).write?.('reports/m-1.json', Buffer.from('{}'))).rejects.toMatchObject({
        code: 'CHANNEL_UNREACHABLE',
        message: expect.stringContaining('not safe') as string,
      });
    },
  );

  it('whose pages of tags go in a circle is left', async () => {
    const registry = await serve(({ url = '' }, response) => {
      const next = /last=(\d)/.exec(url)?.[1] === '1' ? 2 : 1;
      response.writeHead(200, { Link: `</v2/fleet/debian/reports/tags/list?n=1000&last=${next}>; rel="next"` });
      response.end('{"tags":["a"]}');
    });
    const found: string[] = [];
    const list = async () => {
      for await (const path of carrier(registry).list?.('reports') ?? []) found.push(path);
    };
    await expect(list()).rejects.toMatchObject({
      code: 'CHANNEL_UNREACHABLE',
      message: expect.stringContaining('read already') as string,
    });
    expect(found).toHaveLength(3);
  });

  it('cannot have a report count twice', async () => {
    const machine = newMachine();
    const bytes = signedReport(machine, [outcomeReport(updateNumber(1), 'applied')]);
    const layer = { mediaType: 'x', digest: `sha256:${sha256Of(bytes)}`, size: bytes.length };
    const registry = await serve(({ url = '' }, response) => {
      const tag = `${machine.id}.json`;
      if (url.includes('/tags/')) response.end(JSON.stringify({ tags: [tag, tag, tag] }));
      else if (url.includes('/manifests/')) response.end(JSON.stringify({ schemaVersion: 2, layers: [layer] }));
      else response.end(bytes);
    });
    const enrolled = { key: machine.key, enrolled: '2026-01-01T00:00:00.000Z', how: 'operator' as const };
    const read = await readReports(
      carrier(registry),
      { [machine.id]: enrolled },
      { signal: new AbortController().signal },
    );
    expect(read.reports).toHaveLength(1);
  });

  it('may have an address of IPv6', async () => {
    const registry = await serve((_request, response) => response.writeHead(404).end(), '::1');
    expect(await read(registry)).toEqual({ status: 'absent' });
  });

  it.each(['oci://host:99999/x', 'oci://[::1/x', 'oci://[x]/y', 'oci://u:p@host/x', 'oci://host', 'oci://host/../x'])(
    'cannot be %s',
    (url) => {
      expect(() => carrierOf(url)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS', exitCode: 2 }));
    },
  );
});
