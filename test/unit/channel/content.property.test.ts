import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseChannel, parseRollout, updatesOf } from '../../../src/channel/content.js';
import { encodeKey, makeKey, parseKeyFile, unlockKey } from '../../../src/channel/keys/key-file.js';
import { packageTarget } from '../../../src/channel/names.js';
import { cases, changed, changedValue, outcomeOf, repetitive, valueOf } from '../../support/untrusted.js';

const sha256 = createHash('sha256').update('x').digest('hex');
const entry = {
  sequence: 1,
  name: 'one',
  package: { path: packageTarget(sha256), sha256, bytes: 1 },
  group: 'canary',
  percent: 12.5,
  from: '>=12.1 <13',
  to: '12.2',
  publishedAt: '2026-01-01T00:00:00.000Z',
};
const channel = { version: 1, base: 'debian', updates: [entry, { ...entry, sequence: 2, name: 'two', group: null }] };
const rollout = { version: 1, updates: { one: { percent: 50, withdrawn: false, withNewer: false } } };
const tokens = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '1e999',
  'null',
  '"__proto__": {},',
  '"updates": [',
  '\xff',
  '\\ud800',
];

/** What all else takes for granted of a channel. */
function check(bytes: Buffer): void {
  const content = parseChannel(bytes);
  const updates = updatesOf(content, parseRollout(Buffer.from(JSON.stringify(rollout))));
  for (const [i, each] of updates.entries()) {
    expect(each.sequence).toBe(i + 1);
    expect(each.name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
    expect(each.package.path).toMatch(/^[0-9a-f]{32}\.tar$/);
    expect(each.percent >= 0 && each.percent <= 100).toBe(true);
    expect(each.base).toBe(content.base);
  }
}

describe('channel.json and rollout.json', () => {
  it('of any values are updates within their bounds, or an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom<object>(channel, rollout).chain(changedValue), async (value) => {
        const bytes = Buffer.from(JSON.stringify(value));
        valueOf(await outcomeOf(() => check(bytes)), 'channel.json');
        valueOf(await outcomeOf(() => parseRollout(bytes)), 'rollout.json');
      }),
      cases(1000),
    );
  });

  it('of any bytes, too', async () => {
    const texts = fc.oneof(
      changed(tokens).map((edit) => edit(Buffer.from(JSON.stringify(channel)))),
      repetitive(tokens, 20_000).map((text) => Buffer.from(text, 'latin1')),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (bytes) => {
        valueOf(await outcomeOf(() => check(bytes)), 'channel.json');
      }),
      cases(500),
    );
  });
});

describe('the file of a key', () => {
  it('is that of the key with its passphrase, and nothing else', async () => {
    const key = makeKey('targets');
    const bytes = await encodeKey(key, 'open sesame');
    const file = parseKeyFile(bytes, 'K');
    expect((await unlockKey(file, 'K', 'open sesame')).id).toBe(key.id);
    await expect(unlockKey(file, 'K', 'open')).rejects.toMatchObject({ code: 'BAD_PASSPHRASE' });
    // Given out as that of another role.
    await expect(unlockKey({ ...file, role: 'root' }, 'K', 'open sesame')).rejects.toMatchObject({
      code: 'BAD_PASSPHRASE',
    });
    expect(bytes.toString()).not.toContain(
      key.private.export({ type: 'pkcs8', format: 'der' }).toString('base64').slice(30),
    );
  });

  it('of any bytes is a key, or an error that names it', async () => {
    const bytes = await encodeKey(makeKey('timestamp'), undefined);
    await fc.assert(
      fc.asyncProperty(changed(tokens), async (edit) => {
        const outcome = await outcomeOf(async () => unlockKey(parseKeyFile(edit(bytes), 'KEY'), 'KEY', ''));
        valueOf(outcome, 'KEY');
      }),
      cases(500),
    );
  });
});
