import { bytesText } from '../base/units.js';
import type { OnBytes } from '../base/steps.js';
import { reportBytes } from './progress-fd.js';
import { terminalStream } from './stream.js';

interface Progress<Step extends string> {
  readonly step: Step;
  readonly bytes: number;
  /** Undefined: unknown, so nothing is shown. */
  readonly total: number | undefined;
  readonly entries?: number;
}

export interface CopyBar<Step extends string> {
  readonly update: (progress: Progress<Step>) => void;
  readonly stop: () => void;
}

/** Bytes done, all bytes and the time left: on a terminal and to --progress-fd. @param words of the steps */
export async function copyBar<Step extends string>(words: Readonly<Record<Step, string>>): Promise<CopyBar<Step>> {
  const report = ({ step, bytes, total }: Progress<Step>) => {
    if (total !== undefined) reportBytes(words[step], bytes, total);
  };
  if (!process.stderr.isTTY) return { update: report, stop: () => undefined };
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    format: '{step} {bar} {done} of {all}, {eta_formatted} left{more}',
    stream: terminalStream(),
    clearOnComplete: true,
    hideCursor: true,
    etaBuffer: 100,
  });
  let present: Step | undefined;
  const stop = () => {
    if (present !== undefined) bar.stop();
    present = undefined;
  };
  return {
    update({ step, bytes, total, entries }) {
      report({ step, bytes, total });
      if (total === undefined) return;
      const more = entries === undefined ? '' : `  ${entries} entries`;
      const payload = { step: words[step], done: bytesText(bytes), all: bytesText(total), more };
      if (step !== present) {
        stop();
        bar.start(total, bytes, payload);
        present = step;
      }
      bar.update(bytes, payload);
    },
    stop,
  };
}

interface ReadBar {
  readonly update: (progress: { bytes: number; total: number | undefined; entries: number }) => void;
  readonly stop: () => void;
}

/** How far a source is read. @param verb "importing" */
export async function readBar(verb: string): Promise<ReadBar> {
  const { update, stop } = await copyBar({ read: verb });
  return {
    update: (progress) => {
      update({ step: 'read', ...progress });
    },
    stop,
  };
}

/**
 * Work that copies bytes. The bar goes with the last of them: what comes after may ask for a passphrase. @param task
 * "sending"
 */
export async function withBytes<T>(task: string, work: (onBytes: OnBytes) => Promise<T>): Promise<T> {
  const { update, stop } = await copyBar({ copy: task });
  try {
    return await work((bytes, total) => {
      update({ step: 'copy', bytes, total });
      if (bytes === total) stop();
    });
  } finally {
    stop();
  }
}
