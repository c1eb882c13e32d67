import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../base/errors.js';
import { contentDiff } from '../../changeset/content-diff.js';
import type { ContentDiff } from '../../changeset/content-diff.js';
import type { DiffAnswer, DiffQuestion } from './diff-thread.js';

// Compares files in a thread of its own, which can be ended: see diff-thread.ts.
parentPort?.on('message', ({ path, before, after }: DiffQuestion) => {
  let answer: DiffAnswer;
  try {
    const diff: ContentDiff = contentDiff(path, before, after);
    answer = { diff };
  } catch (error) {
    answer = { problem: messageOf(error) };
  }
  parentPort?.postMessage(answer);
});
