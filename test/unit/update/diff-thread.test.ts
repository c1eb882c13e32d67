import { afterEach, describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { DiffThread } from '../../../src/update/preview/diff-thread.js';

const thread = new DiffThread();
afterEach(async () => {
  await thread.close();
});

const file = (text: string, hash: string) => ({ size: text.length, hash, bytes: Buffer.from(text) });
const compare = (path: string, before: string, after: string) =>
  thread.compare({ path: path as BytePath, before: file(before, 'a'), after: file(after, 'b') });
const yaml = (count: number, value: number) => Array.from({ length: count }, (_, i) => `k${i}: ${value}`).join('\n');

describe('files are compared in a thread', () => {
  it('by their keys and lines, as ever', async () => {
    expect(await compare('a.yml', 'x: 1', 'x: 2')).toMatchObject({ kind: 'keys', keys: [{ key: 'x' }] });
    expect(await compare('a', 'one\n', 'two\n')).toMatchObject({ kind: 'text' });
  });

  it.each([
    ['a.yml', yaml(85_000, 1), yaml(85_000, 2)],
    ['env', `A=${' '.repeat(900_000)}x`, `A=${' '.repeat(900_000)}y`],
    ['app.ini', `[s]\n${' '.repeat(200_000)}a\nb=1`, `[s]\n${' '.repeat(200_000)}a\nb=2`],
    ['a.json', '['.repeat(400_000), '['.repeat(400_001)],
    ['a.yaml', '['.repeat(100_000), '['.repeat(100_001)],
  ])(
    'which is ended where it takes long, and holds up nothing: %s',
    { timeout: 20_000 },
    async (path, before, after) => {
      let ticks = 0;
      const timer = setInterval(() => (ticks += 1), 50);
      const begun = performance.now();
      expect(await compare(path, before, after)).toMatchObject({ kind: expect.any(String) as string });
      clearInterval(timer);
      const took = performance.now() - begun;
      expect(took).toBeLessThan(6000);
      if (took > 1000) expect(ticks).toBeGreaterThan(5);
    },
  );
});
