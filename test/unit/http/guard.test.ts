import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminToken, host, port, readerToken, servedWorld } from './served-world.js';
import type { ServedWorld } from './served-world.js';

const store = '/api/v1/store';
const admin = { host, authorization: `Bearer ${adminToken}` };
const reader = { host, authorization: `Bearer ${readerToken}` };
const json = { 'content-type': 'application/json' };

interface Failed {
  readonly error: { readonly code: string };
}

describe('who may ask', () => {
  let world: ServedWorld;
  let readOnly: ServedWorld;
  let socket: ServedWorld;
  beforeAll(async () => {
    world = await servedWorld();
    readOnly = await servedWorld({ allowChanges: false });
    socket = await servedWorld({ tcp: false });
  });
  afterAll(async () => {
    for (const each of [world, readOnly, socket]) await each.remove();
  });

  const get = async (headers: Record<string, string>, url = store, from = world) => from.app.inject({ url, headers });

  it('a token of the file, by header', async () => {
    expect((await get(admin)).json()).toMatchObject({ token: 'admin', allowChanges: true });
    expect((await get(reader)).json()).toMatchObject({ token: 'reader', allowChanges: false });
    expect((await get(admin, store, readOnly)).json()).toMatchObject({ token: 'admin', allowChanges: false });
    expect((await get({ host: 'localhost' }, store, socket)).json()).toMatchObject({ token: null, allowChanges: true });
  });

  it.each(['/api', '/metrics', store, '/api/v1/events', '/api/v1/jobs', '/nothing', '/API/v1/store'])(
    'nobody else: %s',
    async (url) => {
      for (const authorization of ['', 'Bearer', 'Bearer x', `Bearer ${adminToken}x`, `Basic ${adminToken}`]) {
        const answer = await get({ host, authorization }, url);
        expect(answer.statusCode).toBe(401);
        expect(answer.json<Failed>().error.code).toBe('NO_TOKEN');
      }
    },
  );

  it('nobody fills the audit log with one long request', async () => {
    const containers = Array.from({ length: 5000 }, (_, at) => `c${at}`);
    const url = '/api/v1/updates/u/rollback';
    const answer = await world.app.inject({
      method: 'POST',
      url,
      headers: { ...reader, ...json },
      payload: { containers },
    });
    expect(answer.statusCode).toBe(403);
    const { entries } = (await get(admin, '/api/v1/audit?limit=1')).json<{ entries: { request: object }[] }>();
    expect(entries[0]?.request).toMatchObject({ containers: [...containers.slice(0, 20), '… and 4980 more'] });
  });

  it('no name but that of the server: DNS rebinding', async () => {
    const wrong = [`evil.example:${port}`, 'evil.example', '127.0.0.1', `127.0.0.1:${port + 1}`, `127.0.0.2:${port}`];
    for (const name of [...wrong, '', `localhost.evil:${port}`, `127.0.0.1:${port}.evil`, `[::1]`, '0.0.0.0:8080'])
      expect((await get({ ...admin, host: name })).statusCode, name).toBe(421);
    for (const name of [host, `localhost:${port}`, `[::1]:${port}`])
      expect((await get({ ...admin, host: name })).statusCode, name).toBe(200);
    for (const name of ['evil.example', 'evil.example:1'])
      expect((await get({ host: name }, store, socket)).statusCode, name).toBe(421);
  });

  it('no page of another origin, also of another port of this machine', async () => {
    for (const origin of [
      'http://evil.example',
      `https://${host}`,
      'http://127.0.0.1',
      'http://127.0.0.1:81',
      'null',
    ]) {
      const answer = await get({ ...admin, origin });
      expect(answer.statusCode, origin).toBe(403);
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
    expect((await get({ ...admin, origin: `http://${host}` })).statusCode).toBe(200);
    expect((await get({ ...admin, 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    expect((await get({ ...admin, 'sec-fetch-site': 'same-site' })).statusCode).toBe(403);
    expect((await get({ host: 'localhost', origin: 'http://evil.example' }, store, socket)).statusCode).toBe(403);
    const asked = await world.app.inject({ method: 'OPTIONS', url: store, headers: { host, origin: 'http://evil' } });
    expect(asked.statusCode).toBe(403);
  });

  it('no cookie without the origin, and no form: request forgery', async () => {
    const login = await world.app.inject({
      method: 'POST',
      url: '/login',
      headers: { host, origin: `http://${host}`, ...json },
      payload: { token: adminToken },
    });
    expect(login.statusCode).toBe(200);
    const [cookie = '', ...attributes] = String(login.headers['set-cookie']).split('; ');
    expect(attributes).toEqual(['Path=/', 'HttpOnly', 'SameSite=Strict', 'Max-Age=43200']);
    expect(cookie).not.toContain(adminToken);
    // Browsers send it to servers on other ports of this machine, too: those have another name for theirs.
    expect(cookie).toMatch(new RegExp(`^lamina-session-${port}=`));
    const ofAnother = `${cookie.replace(`-${port}=`, '-1=')}; lamina-session=x`;
    expect((await get({ host, cookie: ofAnother })).statusCode).toBe(401);
    expect((await get({ host, cookie: `${ofAnother}; ${cookie}` })).statusCode).toBe(200);
    expect((await get({ host, cookie })).json()).toMatchObject({ token: 'admin' });
    const post = async (headers: Record<string, string>, payload: string) =>
      world.app.inject({ method: 'POST', url: '/api/v1/gc', headers: { host, cookie, ...headers }, payload });
    expect((await post(json, '{"dryRun":true}')).json<Failed>().error.code).toBe('NO_ORIGIN');
    const own = { origin: `http://${host}` };
    for (const type of ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain'])
      expect((await post({ ...own, 'content-type': type }, '{"dryRun":true}')).statusCode, type).toBe(415);
    expect((await post({ ...json, origin: 'http://127.0.0.1:1' }, '{}')).statusCode).toBe(403);
    await world.app.inject({ method: 'POST', url: '/logout', headers: { host, cookie, ...own, ...json }, payload: {} });
    expect((await get({ host, cookie })).statusCode).toBe(401);
  });

  it('nobody changes anything by a server that is read-only, or with a token that is', async () => {
    const actions = [
      ['POST', '/updates', { base: 'b', procedure: '/p' }],
      ['POST', '/updates/preview', { base: 'b', procedure: '/p' }],
      ['POST', '/updates/u/rollback', {}],
      ['POST', '/bases/b/merge', {}],
      ['POST', '/containers/c/catch-up', {}],
      ['POST', '/containers', { name: 'c', base: 'b' }],
      ['DELETE', '/containers/c', undefined],
      ['POST', '/gc', {}],
      ['POST', '/updates/u/redo', {}],
      ['POST', '/updates/u/redo', { dryRun: true }],
      ['POST', '/containers/c/mount', { directory: '/mnt' }],
      ['POST', '/containers/c/umount', {}],
      ['POST', '/bases', { name: 'b', source: '/tar' }],
      ['POST', '/displaced/a-0/restore', {}],
      ['POST', '/displaced/drop', { all: true }],
      ['POST', '/verify', { repair: true }],
    ] as const;
    for (const [method, path, payload] of actions) {
      const url = `/api/v1${path}`;
      const body = payload === undefined ? {} : { payload };
      const byServer = await readOnly.app.inject({ method, url, headers: admin, ...body });
      expect(byServer.json<Failed>().error.code, path).toBe('READ_ONLY_SERVER');
      const byToken = await world.app.inject({ method, url, headers: reader, ...body });
      expect(byToken.json<Failed>().error.code, path).toBe('READ_ONLY_TOKEN');
    }
    expect(world.served.jobs.list()).toEqual([]);
    const entries = readOnly.served.audit.list();
    expect(entries).toHaveLength(actions.length);
    expect(entries[0]).toMatchObject({ by: 'token admin', action: 'verify', outcome: 'refused', job: null });
  });

  it('every answer forbids scripts of others, frames and guessed types', async () => {
    for (const url of ['/', '/nothing', store, '/api', '/assets/none', '/%ff', '/api/v1/containers/%']) {
      const { headers } = await get(admin, url);
      expect(headers['content-security-policy'], url).toMatch(/^default-src 'none'; script-src 'self';/);
      expect(headers['content-security-policy']).not.toMatch(/unsafe|\*/);
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
  });

  it('no address leads out of the page', async () => {
    const page = (await get(admin, '/')).payload;
    const ups = ['..', '%2e%2e', '%252e%252e', '..%2f..', '%2e%2e%2f', '..%5c', '%c0%ae%c0%ae', '....//', '%00'];
    for (const up of ups)
      for (const start of ['/assets/', '/', '/api/v1/bases/', '/api/v1/jobs/'])
        for (const end of ['etc/passwd', 'tokens', '']) {
          const { statusCode, payload } = await get(admin, `${start}${up}/${up}/${up}/${end}`);
          expect(payload).not.toMatch(/root:|aaaaaa/);
          if (payload !== page) expect([400, 404]).toContain(statusCode);
        }
  });

  it('a name that is HTML is never sent as HTML', async () => {
    const names = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '\u202e', "';--"];
    for (const name of names) {
      const answer = await get(admin, `/api/v1/containers/${encodeURIComponent(name)}`);
      expect(answer.statusCode).toBe(404);
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    }
  });

  it('too much is refused', async () => {
    const payload = JSON.stringify({ base: 'b', procedure: `/${'x'.repeat(2 << 20)}` });
    const answer = await world.app.inject({
      method: 'POST',
      url: '/api/v1/updates',
      headers: { ...admin, ...json },
      payload,
    });
    expect(answer.statusCode).toBe(413);
    const many = `?${'base=x&'.repeat(200)}`;
    expect((await get(admin, `/api/v1/containers${many}`)).statusCode).toBe(400);
    expect((await get(admin, '/api/v1/containers?limit=20001')).statusCode).toBe(400);
    expect((await get(admin, `/api/v1/bases/${'x'.repeat(1001)}`)).statusCode).toBe(414);
  });

  it('whatever is asked, the answer is a document and no failure of the server', async () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('containers', 'bases', '..', '%', '__proto__'),
    );
    const address = fc
      .array(part, { maxLength: 5 })
      .map((parts) => `/${parts.map((each) => encodeURI(toWell(each))).join('/')}`);
    const query = fc.dictionary(fc.constantFrom('base', 'limit', 'offset', 'sort', 'filter', '__proto__'), fc.string());
    await fc.assert(
      fc.asyncProperty(address, query, async (path, values) => {
        const url = `/api/v1${path}?${new URLSearchParams(values).toString()}`;
        if (/events/.test(url)) return;
        const answer = await get(admin, url);
        expect(answer.statusCode).toBeLessThan(500);
        expect(answer.json()).toHaveProperty('formatVersion', 2);
      }),
      { numRuns: 150 },
    );
  });
});

const toWell = (text: string) => text.replace(/\p{Surrogate}/gu, '');
