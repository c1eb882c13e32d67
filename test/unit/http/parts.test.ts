import { appendFileSync, chmodSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromBuffer, fromText, toText } from '../../../src/base/bytes.js';
import { AuditLog } from '../../../src/http/audit-log.js';
import { inheritedSocket, parseAddress } from '../../../src/http/listen.js';
import { savedBytes } from '../../../src/http/metrics.js';
import { parseQuery } from '../../../src/http/query.js';
import { Sessions, sessionIn } from '../../../src/http/sessions.js';
import { TokenFile, parseTokens } from '../../../src/http/tokens.js';
import { parseRemote } from '../../../src/cli/remote/address.js';
import { escaped } from '../../../src/cli/remote/escaped.js';

let directory: string;
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-http-parts-')));
});
afterAll(() => rmSync(directory, { recursive: true }));

const code = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('the parameters of an address', () => {
  it('give back every text of bytes that the client escapes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const text = toText(fromBuffer(bytes));
        expect(parseQuery(`path=${escaped(text)}`)).toEqual({ path: text });
      }),
    );
  });

  it('are never thrown at, and never change an object', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseQuery(text)));
    expect(Object.keys(parseQuery('__proto__=1&constructor=2'))).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['1']).toBeUndefined();
    expect(parseQuery('a=1&a=2&b')).toEqual({ a: ['1', '2'], b: '' });
    expect(parseQuery('a=%f')).toEqual({ 'malformed address': '' });
  });
});

describe('the token file', () => {
  const token = 'x'.repeat(32);
  const file = (text: string, mode = 0o600) => {
    const path = join(directory, `tokens-${Math.random().toString(36).slice(2)}`);
    writeFileSync(path, text, { mode });
    return path;
  };

  it('names tokens, and is read again when it has changed', () => {
    const path = file(`one ${token}\n`);
    const tokens = new TokenFile(fromText(path));
    expect(tokens.find(token)).toMatchObject({ name: 'one', readOnly: false });
    const { digest } = tokens.find(token)!;
    expect(tokens.find(`${token}x`)).toBeUndefined();
    appendFileSync(path, `two ${'y'.repeat(32)} read-only\n`);
    tokens.reload();
    expect(tokens.find('y'.repeat(32))).toMatchObject({ name: 'two', readOnly: true });
    expect(tokens.withDigest(digest)).toMatchObject({ name: 'one' });
    writeFileSync(path, `two ${'y'.repeat(32)}\n`);
    tokens.reload();
    expect(tokens.find(token)).toBeUndefined();
    expect(tokens.withDigest(digest)).toBeUndefined();
  });

  it('is refused where others may read it, and is not read', () => {
    expect(code(() => new TokenFile(fromText(file(`one ${token}`, 0o640))))).toBe('TOKEN_FILE_EXPOSED');
    expect(code(() => new TokenFile(fromText(join(directory, 'none'))))).toBe('NO_TOKEN_FILE');
    expect(code(() => new TokenFile(fromText('/dev/null')))).toBe('BAD_TOKEN_FILE');
    const path = file(`one ${token}`);
    const tokens = new TokenFile(fromText(path));
    chmodSync(path, 0o604);
    expect(code(() => tokens.reload())).toBe('TOKEN_FILE_EXPOSED');
  });

  it('shows no token in its complaints', () => {
    for (const text of [
      `one ${'s'.repeat(31)}`,
      `one  ${'s'.repeat(40)} write`,
      'ssssssss',
      `a ${token}\na ${token}`,
      '',
    ])
      expect(() => parseTokens(text, 'FILE')).toThrow(/^(?!.*sss).*$/s);
  });
});

describe('addresses', () => {
  it('are a socket or the loopback device', () => {
    expect(parseAddress('unix:/run/x')).toEqual({ kind: 'unix', path: '/run/x' });
    expect(parseAddress('127.0.0.1:80')).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 80 });
    expect(parseAddress('[::1]:0')).toEqual({ kind: 'tcp', host: '::1', port: 0 });
    for (const text of ['0.0.0.0:80', '[::]:80', 'example.org:80', '192.0.2.1:80'])
      expect(
        code(() => parseAddress(text)),
        text,
      ).toBe('NOT_LOOPBACK');
    for (const text of ['', 'unix:', '80', '127.0.0.1', '127.0.0.1:99999', '127.0.0.1:x'])
      expect(
        code(() => parseAddress(text)),
        text,
      ).toBe('USAGE');
  });

  it('of servers: a token crosses no network in clear text', () => {
    expect(parseRemote('http://127.0.0.1:80/')).toEqual({ kind: 'http', host: '127.0.0.1', port: 80 });
    expect(parseRemote('https://example.org')).toEqual({ kind: 'https', host: 'example.org', port: 443 });
    expect(parseRemote('unix:/run/x')).toEqual({ kind: 'unix', socket: '/run/x' });
    expect(code(() => parseRemote('http://example.org'))).toBe('CLEAR_TEXT');
    for (const text of ['', 'unix:', 'x', 'ftp://127.0.0.1', 'http://u:p@127.0.0.1', 'http://127.0.0.1/x'])
      expect(
        code(() => parseRemote(text)),
        text,
      ).toBe('USAGE');
  });

  it('of systemd are for the process that they name, and for none of its children', () => {
    const environment = { LISTEN_PID: String(process.pid), LISTEN_FDS: '1', A: 'b' };
    expect(inheritedSocket(environment)).toEqual({ kind: 'inherited', descriptor: 3 });
    expect(environment).toEqual({ A: 'b' });
    expect(inheritedSocket({ LISTEN_PID: '1', LISTEN_FDS: '1' })).toBeUndefined();
    expect(inheritedSocket({})).toBeUndefined();
    expect(code(() => inheritedSocket({ LISTEN_FDS: '2' }))).toBe('USAGE');
  });
});

describe('sessions', () => {
  it('end after twelve hours, and are found by their value only', () => {
    let now = 0;
    const sessions = new Sessions(() => now);
    const digest = Buffer.from('one');
    const value = sessions.begin(digest);
    expect(sessions.tokenOf(value)).toBe(digest);
    expect(sessions.tokenOf(`${value}x`)).toBeUndefined();
    now = 12 * 3_600_000;
    expect(sessions.tokenOf(value)).toBeUndefined();
    const host = 'localhost:8080';
    expect(sessionIn({ host, cookie: `a=b; lamina-session-8080=${value}; c` })).toBe(value);
    expect(sessionIn({ host: 'localhost', cookie: `lamina-session-80=${value}` })).toBe(value);
    for (const cookie of ['xlamina-session-8080=1', 'lamina-session-80=1', 'lamina-session=1', undefined])
      expect(sessionIn({ host, ...(cookie !== undefined && { cookie }) }), cookie).toBeUndefined();
  });
});

describe('the audit log', () => {
  it('has each action once, with its end, also when it is read again', () => {
    const place = fromText(directory);
    const log = new AuditLog(place);
    const action = { by: 'unix socket', action: 'gc', request: {}, job: null, time: '2026-01-01T00:00:00.000Z' };
    const id = log.begin(action);
    log.begin({ ...action, action: 'verify' });
    log.end(id, { outcome: 'done', message: null, ended: '2026-01-01T00:00:01.000Z' });
    appendFileSync(join(directory, 'audit.ndjson'), '{"id":"cut');
    const again = new AuditLog(place);
    expect(again.list()).toEqual(log.list());
    expect(again.list().map(({ action: what, outcome }) => [what, outcome])).toEqual([
      ['verify', 'running'],
      ['gc', 'done'],
    ]);
  });
});

describe('the audit log that was torn', () => {
  const action = { by: 'token a', action: 'gc', request: {}, job: null, time: '2026-01-01T00:00:00.000Z' };

  it('loses no entry after the line that a crash cut off', () => {
    const own = mkdtempSync(join(directory, 'torn-'));
    new AuditLog(fromText(own)).begin(action);
    appendFileSync(join(own, 'audit.ndjson'), '{"id":"cut');
    new AuditLog(fromText(own)).begin({ ...action, action: 'verify' });
    new AuditLog(fromText(own)).begin({ ...action, action: 'merge' });
    const found = new AuditLog(fromText(own)).list();
    expect(found.map(({ action: what }) => what)).toEqual(['merge', 'verify', 'gc']);
  });

  it('records refusals of a caller some times a minute, so that they push nothing out', () => {
    const log = new AuditLog(fromText(mkdtempSync(join(directory, 'refused-'))));
    log.begin(action);
    for (let n = 0; n < 5000; n++) log.refuse({ ...action, by: 'token b' }, 'read-only');
    log.refuse({ ...action, by: 'token c' }, 'read-only');
    const found = log.list();
    expect(found).toHaveLength(32);
    expect(found[0]).toMatchObject({ by: 'token c', message: 'read-only' });
    expect(found[1]).toMatchObject({ by: 'token b', message: expect.stringContaining('are not recorded') as string });
  });
});

describe('saved bytes', () => {
  it('are those of the layers that a flat copy of each further container would have', () => {
    const node = (id: string, parent: string | null, bytes: number) => ({ id, parent, bytes });
    const status = {
      bases: [{ name: 'a' }, { name: 'b' }],
      nodes: [node('b-1', null, 100), node('d-1', 'b-1', 10)],
      containers: [
        { base: 'a', layer: 'd-1' },
        { base: 'a', layer: 'b-1' },
        { base: 'a', layer: 'd-1' },
      ],
    } as unknown as Parameters<typeof savedBytes>[0];
    expect(savedBytes(status)).toEqual([
      ['a', 210],
      ['b', 0],
    ]);
  });
});
