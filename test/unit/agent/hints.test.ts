import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventReader, listenToEvents } from '../../../src/agent/events.js';
import { Followed } from '../../../src/agent/followed.js';
import { listenAtPort, listenAtSocket } from '../../../src/agent/listen.js';
import { hintPause, pollPause } from '../../../src/agent/schedule.js';
import type { FollowSettings } from '../../../src/agent/settings.js';
import { concerns, repositoriesIn } from '../../../src/agent/webhook.js';
import { fromText } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';

const bodies: Record<string, object> = {
  distribution: { events: [{ action: 'push', target: { repository: 'fleet/debian', tag: 'timestamp' } }] },
  dockerHub: { push_data: { tag: 'timestamp' }, repository: { repo_name: 'fleet/debian' } },
  harbor: { type: 'PUSH_ARTIFACT', event_data: { repository: { repo_full_name: 'fleet/debian' }, resources: [] } },
  quay: { repository: 'fleet/debian', updated_tags: ['timestamp'] },
  github: { action: 'published', registry_package: { name: 'debian', namespace: 'fleet' } },
};

describe('a notification', () => {
  it.each(Object.entries(bodies))('of %s is understood', (_, body) => {
    const text = JSON.stringify(body);
    expect(repositoriesIn(text)).toEqual(['fleet/debian']);
    expect(concerns(text, 'oci://registry.example.org/fleet/debian')).toBe(true);
    expect(concerns(text, 'oci://registry.example.org/fleet/debian:tag')).toBe(true);
    expect(concerns(text, 'oci://registry.example.org/fleet/alpine')).toBe(false);
    expect(concerns(text, 'oci://registry.example.org/other-fleet/debian-2')).toBe(false);
    expect(concerns(text, 'https://updates.example.org/debian')).toBe(false);
  });

  it('of pulls only is about no channel; one that says nothing may be about all', () => {
    const pulls = JSON.stringify({ events: [{ action: 'pull', target: { repository: 'fleet/debian' } }] });
    expect(concerns(pulls, 'oci://registry.example.org/fleet/debian')).toBe(false);
    for (const text of ['', '{}', 'x', '[]', '{"repository":{}}', '{"events":[]}'])
      expect(concerns(text, 'https://updates.example.org/debian')).toBe(true);
  });

  it('may hold anything', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(typeof concerns(text, 'oci://registry.example.org/fleet/debian')).toBe('boolean');
      }),
    );
  });

  it('is taken at a port and at a socket that only its owner can use, and is bounded', async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'lamina-hints-')));
    const heard: string[] = [];
    const port = await listenAtPort('0', (body) => heard.push(body));
    const socket = await listenAtSocket(fromText(directory), 'socket', (body) => heard.push(body));
    try {
      const post = async (body: string) => (await fetch(port.address, { method: 'POST', body })).status;
      expect([await post('first'), (await fetch(port.address)).status]).toEqual([202, 405]);
      expect(await post('x'.repeat(limits.notification.value + 1)).catch(() => 413)).toBe(413);
      expect(statSync(socket.address).mode & 0o777).toBe(0o600);
      const status = await new Promise((resolve, reject) => {
        const sent = request({ socketPath: socket.address, method: 'POST' }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        sent.on('error', reject).end('second');
      });
      expect(status).toBe(202);
      expect(heard).toEqual(['first', 'second']);
    } finally {
      await port.close();
      await socket.close();
      rmSync(directory, { recursive: true });
    }
  });

  it.each(['x', '70000', 'host:', '::1:80', ':80'])('is not taken at %j', async (address) => {
    await expect(listenAtPort(address, () => undefined)).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe('a stream of events', () => {
  const read = (...pieces: string[]) => {
    const events: string[] = [];
    const reader = new EventReader((data) => events.push(data));
    for (const piece of pieces) reader.add(Buffer.from(piece));
    return events;
  };

  it('is read, however it is cut', () => {
    const text =
      ': comment\n\ndata: one\n\nevent: changed\ndata:two\r\ndata: lines\r\n\r\nid: 3\n\ndata\n\nretry: 5\n\n';
    expect(read(text)).toEqual(['one', 'two\nlines', '']);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        expect(read(...at.slice(1).map((end, i) => text.slice(at[i], end)))).toEqual(['one', 'two\nlines', '']);
      }),
    );
  });

  it('is left if a line never ends', () => {
    const long = 'x'.repeat(limits.eventLine.value);
    expect(() => read(`data: ${long}`)).toThrow('line of an event stream');
    expect(() => read(...Array.from({ length: 80 }, () => `data: ${'x'.repeat(1000)}\n`))).toThrow(
      'line of an event stream',
    );
  });

  it('is opened again when it ends, and says why it cannot be', { timeout: 20_000 }, async () => {
    let opened = 0;
    const server = createServer((_, response) => {
      opened += 1;
      if (opened === 2) response.writeHead(503).end();
      else response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${String(opened)}\n\n`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/events`;
    const ending = new AbortController();
    const [events, faults]: [string[], string[]] = [[], []];
    await listenToEvents({
      url,
      signal: ending.signal,
      pauseMs: 10,
      onEvent: (data) => {
        events.push(data);
        if (data === '3') ending.abort();
      },
      onFault: (fault) => faults.push(fault),
    });
    server.closeAllConnections();
    server.close();
    expect(events).toEqual(['', '1', '', '3']);
    expect(faults).toEqual([expect.stringContaining('503')]);
  });
});

describe('the pauses of an agent', () => {
  const hour = 3_600_000;
  it('are the interval, longer after failures, and as long as the server asks for', () => {
    expect([0, 0.5, 0.999_999].map((random) => pollPause({ intervalMs: 1000, failures: 0 }, random))).toEqual([
      800, 1000, 1200,
    ]);
    expect(pollPause({ intervalMs: 1000, failures: 3 }, 0.5)).toBe(8000);
    expect(pollPause({ intervalMs: 1000, failures: 1000 }, 0.5)).toBe(hour);
    expect(pollPause({ intervalMs: 2 * hour, failures: 5 }, 0.5)).toBe(2 * hour);
    expect(pollPause({ intervalMs: 1000, failures: 1, retryAfterMs: 60_000 }, 0)).toBe(60_000);
    // Not even a server that says so keeps a machine from looking for longer.
    expect(pollPause({ intervalMs: 1000, failures: 1, retryAfterMs: 1000 * hour }, 0)).toBe(hour);
  });

  it('after a notification are spread, and at least half of that, or a second, after the last poll', () => {
    expect(hintPause(10_000, hour, 0.5)).toBe(5000);
    expect(hintPause(0, hour, 0.5)).toBe(0);
    expect(hintPause(10_000, 1000, 0)).toBe(4000);
    expect(hintPause(10_000, 6000, 0)).toBe(0);
    expect(hintPause(0, 200, 0.5)).toBe(800);
  });
});

describe('a notification that comes while the channel is polled', () => {
  it('makes the agent poll again, as the poll may not have seen what it is about', () => {
    const settings = { url: 'https://updates.example.org', events: null, intervalSeconds: 3600 };
    const options = { hints: { spreadMs: 0, ring: () => undefined } };
    const followed = new Followed('tiny', settings as FollowSettings, options as never, 0);
    const untilNext = () => followed.nextAt - performance.now();
    const poll = (during: () => void) => {
      followed.polling();
      during();
      followed.polled({ failed: false });
    };
    poll(() => undefined);
    expect(untilNext()).toBeGreaterThan(1_000_000);
    poll(() => followed.hint(''));
    expect(untilNext()).toBeLessThanOrEqual(1000);
    poll(() => undefined);
    expect(untilNext()).toBeGreaterThan(1_000_000);
  });
});
