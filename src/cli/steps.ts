import type { Progress } from '../app/apply.js';
import type { OnStep } from '../base/steps.js';
import { progressLine } from './progress.js';
import { terminalStream } from './stream.js';

interface StepLine {
  readonly onStep: OnStep;
  /** The same, as a server reports it. */
  readonly onProgress: (progress: Progress) => void;
  /** Writes to standard error, above the line. */
  readonly write: (text: string) => void;
}

/** Milliseconds between reports: so many of short steps would only delay the work. */
const pause = 100;

/** Shows how far work is that consists of steps: on a terminal, and to --progress-fd. */
export async function withSteps<T>(unit: Progress['unit'], work: (line: StepLine) => Promise<T>): Promise<T> {
  const line = await progressLine(terminalStream());
  let last = 0;
  const onStep: OnStep = (done, total, step) => {
    const now = Date.now();
    if (done < total && now - last < pause) return;
    last = now;
    line.update({ unit, total, done, skipped: 0, running: step === undefined ? [] : [{ name: step, since: now }] });
  };
  try {
    return await work({
      onStep,
      onProgress: (progress) => {
        line.update(progress);
      },
      write: (text) => {
        line.write(Buffer.from(text));
      },
    });
  } finally {
    line.stop();
  }
}
