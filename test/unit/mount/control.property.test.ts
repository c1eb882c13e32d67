import { createServer } from 'node:net';
import type { Server } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { display, toText } from '../../../src/base/bytes.js';
import { pingDriver } from '../../../src/mount/control.js';
import { cases, changed, outcomeOf, valueOf } from '../../support/untrusted.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const socket = at('some.sock');
let answer: Uint8Array = Buffer.alloc(0);
let server: Server;

beforeAll(async () => {
  server = createServer((client) => {
    client.on('error', () => undefined); // the other end need not take all of it
    client.once('data', () => client.end(answer));
  });
  await new Promise<void>((resolve) => server.listen(toText(socket), resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
});

const whole = Buffer.from('{"ok":true,"pid":12,"mountpoint":"/mnt/web","mode":"stateless","transport":"read"}\n');
const tokens = ['"', '\n', '{', '}', 'null', '"pid":"x",', '\\ud800', '\xff', ','];

describe('what answers at a control socket', () => {
  it('is a driver, nobody, or refused by name: of any bytes', async () => {
    const answers = fc.oneof(
      { arbitrary: changed(tokens).map((edit) => edit(whole)), weight: 9 },
      { arbitrary: fc.uint8Array().map((bytes) => Buffer.from(bytes)), weight: 1 },
    );
    await fc.assert(
      fc.asyncProperty(answers, async (bytes) => {
        answer = bytes;
        const said = valueOf(await outcomeOf(() => pingDriver(socket)), display(socket));
        if (said !== undefined) expect(Number.isInteger(said.pid) && typeof said.mountpoint === 'string').toBe(true);
      }),
      cases(400),
    );
  });

  it('is read no further than an answer is long', async () => {
    answer = Buffer.alloc(64 << 20, 'x');
    const before = process.memoryUsage().rss;
    valueOf(await outcomeOf(() => pingDriver(socket)), display(socket));
    expect(process.memoryUsage().rss - before).toBeLessThan(256 << 20);
    answer = whole;
    expect(await pingDriver(socket)).toMatchObject({ pid: 12, mountpoint: '/mnt/web' });
  });
});
