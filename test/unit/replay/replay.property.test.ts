import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toText } from '../../../src/base/bytes.js';
import { temporaryDirectory } from '../platform/temporary.js';
import { Journalled, pictureOf } from './journalled.js';
import { replayIn } from './replayed.js';
import type { ReplayCase } from './replayed.js';

const at = temporaryDirectory();
const replayed = async (example: ReplayCase) => replayIn(toText(at()), example);

/** Operations on a small set of names, so that they overlap. */
const names = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'f'];
const step = fc.record({
  kind: fc.constantFrom('write', 'replace', 'mkdir', 'rename', 'remove', 'link', 'chmod', 'symlink'),
  path: fc.constantFrom(...names),
  to: fc.constantFrom(...names),
  content: fc.constantFrom('1', '2', '3'),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(base: Journalled, { kind, path, to, content }: Step): void {
  try {
    if (kind === 'write' && !base.isLink(path)) base.write(path, content);
    else if (kind === 'replace') base.replace(path, content);
    else if (kind === 'mkdir') base.mkdir(path);
    else if (kind === 'rename') base.rename(path, to);
    else if (kind === 'remove') base.remove(path);
    else if (kind === 'link' && !base.isLink(path)) base.link(path, to);
    else if (kind === 'chmod' && !base.isLink(path)) base.chmod(path, 0o700);
    else if (kind === 'symlink') base.symlink(content, path);
  } catch (error) {
    if (!/ENOENT|EEXIST|ENOTDIR|EISDIR|ENOTEMPTY|EINVAL|EPERM|ELOOP/.test(String(error))) throw error;
    const last = base.operations.at(-1);
    // A write that failed has been noted before it was tried.
    if (last?.operation === 'truncate' || last?.operation === 'create') base.operations.pop();
  }
}

const start = { a: 'x', 'd/': '', 'd/a': 'x', 'd/e/': '', 'd/e/a': 'y' };

describe('replaying random operations', () => {
  it('makes of a container without changes what they made of the base', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        let wanted: Record<string, string> = {};
        const { files, conflicts } = await replayed({
          base: start,
          update: (base) => {
            for (const each of steps) perform(base, each);
            wanted = pictureOf(base.root);
          },
        });
        expect(files).toEqual(wanted);
        expect(conflicts).toEqual([]);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('loses no file that the user made under a name the base never had', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.array(step, { maxLength: 4 }),
        fc.uniqueArray(fc.constantFrom('own', 'd/own', 'd/e/own'), { minLength: 1 }),
        async (steps, user, own) => {
          const made: string[] = [];
          const { files } = await replayed({
            base: start,
            user: (root) => {
              const journalled = new Journalled(root);
              for (const each of user) perform(journalled, each);
              for (const path of own) {
                try {
                  writeFileSync(join(root, path), `mine ${path}`);
                  made.push(`mine ${path}`);
                } catch (error) {
                  if (!/ENOENT|ENOTDIR/.test(String(error))) throw error;
                }
              }
            },
            update: (base) => {
              for (const each of steps) perform(base, each);
            },
          });
          const found = Object.values(files).join('\n');
          for (const content of made) expect(found).toContain(content);
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);
});
