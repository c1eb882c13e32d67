import { Worker } from 'node:worker_threads';
import type { BytePath } from '../../base/bytes.js';
import type { ContentDiff, FileContent } from '../../changeset/content-diff.js';
import { distFile } from '../../platform/install.js';

export interface DiffQuestion {
  readonly path: BytePath;
  readonly before: FileContent | undefined;
  readonly after: FileContent | undefined;
}

export type DiffAnswer = { readonly diff: ContentDiff } | { readonly problem: string };

/** A comparison that takes longer is abandoned. So are all further ones once their total exceeds the second limit. */
const longestMs = 2_000;
const longestTogetherMs = 30_000;
const mostMemoryMb = 512;

/**
 * Compares files in a thread of its own. Their content is untrusted: hostile text may cost a parser minutes, or all
 * memory. In a thread it delays neither signals nor time-outs, and can be ended.
 */
export class DiffThread {
  #worker: Worker | undefined;
  #spentMs = 0;

  async compare(question: DiffQuestion): Promise<ContentDiff> {
    if (this.#spentMs >= longestTogetherMs)
      return uncompared(question, `comparing files took longer than ${longestTogetherMs / 1000} s`);
    const begun = performance.now();
    const answer = await this.#ask(question);
    this.#spentMs += performance.now() - begun;
    return 'diff' in answer ? answer.diff : uncompared(question, answer.problem);
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #ask(question: DiffQuestion): Promise<DiffAnswer> {
    const worker = (this.#worker ??= new Worker(distFile('diff-worker.js'), {
      resourceLimits: { maxOldGenerationSizeMb: mostMemoryMb },
    }));
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<DiffAnswer | string>((resolve) => {
      timer = setTimeout(resolve, longestMs, `it took longer than ${longestMs / 1000} s`);
      worker.removeAllListeners();
      worker.on('message', resolve);
      worker.on('error', (error: Error) => {
        resolve(error.message);
      });
      worker.on('exit', () => {
        resolve('its thread ended');
      });
      worker.postMessage(question);
    });
    clearTimeout(timer);
    if (typeof answer !== 'string') return answer;
    await this.close();
    return { problem: `it cannot be compared: ${answer}` };
  }
}

function uncompared({ before, after }: DiffQuestion, note: string): ContentDiff {
  const summaryOf = (content: FileContent | undefined) =>
    content === undefined ? null : { size: content.size, hash: content.hash };
  return { kind: 'binary', before: summaryOf(before), after: summaryOf(after), note };
}
