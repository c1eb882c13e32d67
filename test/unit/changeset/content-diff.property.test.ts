import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { contentDiff } from '../../../src/changeset/content-diff.js';
import { mergeContents } from '../../../src/changeset/three-way.js';
import { cases, changed, outcomeOf, repetitive } from '../../support/untrusted.js';

const files: readonly (readonly [name: string, text: string])[] = [
  ['a.json', '{"a": {"b": [1, 2, {"c": null}]}, "x y": "z", "n": 1e10}\n'],
  ['a.yaml', 'a: &x\n  b: 1\n  c: [1, 2]\nd: *x\n---\ne: |\n  text\n? [k]\n: v\n'],
  ['a.conf', '[server]\nport = 8080\nname=a ; remark\n[client.x]\nlist[]=1\nlist[]=2\n'],
  ['environment', '# c\nexport A=1\nB="x y"\nC=a\\\n'],
  ['passwd', 'root:x:0:0:root:/root:/bin/sh\napp:x:1:1:::\n'],
  ['shadow', 'root:$6$hidden:1::::::\napp:!:2::::::\n'],
];
const tokens = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ':',
  '=',
  '\n',
  '\\',
  '&a ',
  '*a',
  '<<: ',
  '- ',
  '? ',
  '!!binary ',
  '!!set ',
  '__proto__',
  'constructor',
  '\0',
  '\xff',
  '$6$hidden',
  '---\n',
  '{"__proto__": 1}',
  '[__proto__]\n',
  '1e999',
  '.nan',
  '%YAML 9.9\n',
];

const content = (bytes: Buffer) => ({ size: bytes.length, hash: 'f'.repeat(64), bytes });
const file = fc.constantFrom(...files);
const pair = fc.tuple(file, changed(tokens), changed(tokens)).map(([[name, text], one, two]) => {
  const bytes = Buffer.from(text);
  return { name: name as BytePath, before: one(bytes), after: two(bytes) };
});

const warn = vi.spyOn(process, 'emitWarning');
/** A library's warning would show what a file holds. */
afterEach(() => {
  expect(warn.mock.calls).toEqual([]);
});

describe('the difference of two contents', () => {
  it('is shown for any bytes, and of a file of secrets without them', async () => {
    await fc.assert(
      fc.asyncProperty(pair, async ({ name, before, after }) => {
        const outcome = await outcomeOf(() => contentDiff(name, content(before), content(after)));
        if (!('value' in outcome)) throw outcome.error;
        const diff = outcome.value;
        if (diff.kind === 'keys') for (const { key } of diff.keys) expect(typeof key).toBe('string');
        if (name === 'shadow') expect(JSON.stringify(diff)).not.toContain('$6$');
      }),
      cases(1500),
    );
  });

  it('takes no longer than its length allows', async () => {
    await fc.assert(
      fc.asyncProperty(
        file,
        repetitive([...tokens, 'a', ' ', '#', ';', 'export A', 'a: '], 3000),
        async ([name], text) => {
          const [before, after] = [Buffer.from(text), Buffer.from(`${text}\nx`)];
          const outcome = await outcomeOf(() => contentDiff(name as BytePath, content(before), content(after)));
          if (!('value' in outcome)) throw outcome.error;
        },
      ),
      cases(60, 'large'),
    );
  });

  it('is merged, or a conflict with its reason: of any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(pair, fc.constantFrom(...files), async ({ before, after }, [, base]) => {
        const outcome = await outcomeOf(() => mergeContents(Buffer.from(base), before, after));
        if (!('value' in outcome)) throw outcome.error;
        const merged = outcome.value;
        if (merged.kind !== 'conflict')
          expect(merged.content.length).toBeLessThanOrEqual(base.length + before.length + after.length);
      }),
      cases(1000),
    );
  });
});
