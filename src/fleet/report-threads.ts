import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { BytePath } from '../base/bytes.js';
import { distFile } from '../platform/install.js';
import type { CountedReport } from './report.js';

/** What a thread is asked to read. */
export interface ReportQuestion {
  readonly directory: BytePath;
  /** Below it. */
  readonly paths: readonly string[];
}

/** A report that its machine has signed, or why a file is none. */
export type ReportAnswer =
  { readonly path: string; readonly report: CountedReport } | { readonly path: string; readonly reason: string };

/** Fewer reports are read sooner than threads start. */
export const fewestForThreads = 500;
const eachTime = 100;
const mostThreads = 8;

/**
 * Reads and checks the reports in a directory in as many threads as there are processors: what takes time is to check
 * signatures and to parse.
 * @param take gets each answer, in any order
 * @throws the signal's reason; what ended a thread
 */
export async function readInThreads(
  directory: BytePath,
  paths: readonly string[],
  signal: AbortSignal,
  take: (answer: ReportAnswer) => void,
): Promise<void> {
  let next = 0;
  const work = async (ask: (question: ReportQuestion) => Promise<readonly ReportAnswer[]>) => {
    while (next < paths.length) {
      const some = paths.slice(next, (next += eachTime));
      for (const answer of await ask({ directory, paths: some })) take(answer);
    }
  };
  const count = Math.min(availableParallelism(), mostThreads, Math.ceil(paths.length / eachTime));
  await Promise.all(Array.from({ length: count }, async () => withThread(signal, work)));
}

/** Works with a thread, which ends with the work, or earlier by the signal. */
async function withThread(
  signal: AbortSignal,
  work: (ask: (question: ReportQuestion) => Promise<readonly ReportAnswer[]>) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted();
  const worker = new Worker(distFile('report-worker.js'));
  const ended = new Promise<never>((_, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => {
      reject(new Error('a thread that reads reports ended early'));
    });
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
  // Once the work has ended, nothing waits for this any more.
  ended.catch(() => undefined);
  const ask = async (question: ReportQuestion) => {
    const answered = new Promise<readonly ReportAnswer[]>((resolve) => {
      worker.once('message', resolve);
    });
    worker.postMessage(question);
    return Promise.race([answered, ended]);
  };
  try {
    await work(ask);
  } finally {
    await worker.terminate();
  }
}
