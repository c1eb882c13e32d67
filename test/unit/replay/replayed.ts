import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromText, toText } from '../../../src/base/bytes.js';
import { replay } from '../../../src/replay/replay.js';
import { Journalled, pictureOf } from './journalled.js';

let count = 0;

export interface ReplayCase {
  /** Of the base before the update; a path that ends with a slash is a directory. */
  readonly base: Record<string, string>;
  /** What the container's user did. */
  readonly user?: (root: string) => void;
  readonly update: (base: Journalled) => void;
  /** At the container afterwards. */
  readonly look?: (root: string) => void;
}

/** Replays in a container what `update` did to its base, below a scratch directory. */
export async function replayIn(scratch: string, { base, user, update, look }: ReplayCase) {
  const place = join(scratch, `case-${++count}`);
  const [before, after, container] = ['before', 'after', 'container'].map((name) => join(place, name));
  mkdirSync(before!, { recursive: true });
  for (const [path, content] of Object.entries(base)) {
    if (path.endsWith('/')) mkdirSync(join(before!, path), { recursive: true });
    else writeFileSync(join(before!, path), content);
  }
  for (const copy of [after!, container!]) cpSync(before!, copy, { recursive: true, preserveTimestamps: true });
  user?.(container!);
  const journalled = new Journalled(after!);
  update(journalled);
  const report = await replay({
    operations: journalled.operations,
    before: fromText(before!),
    after: fromText(after!),
    container: fromText(container!),
  });
  look?.(container!);
  const result = { ...pictureOf(container!) };
  rmSync(place, { recursive: true });
  return { files: result, conflicts: report.conflicts.map(toText), passed: report.passed.map(toText) };
}
