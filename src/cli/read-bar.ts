import { bytesText } from '../base/units.js';
import { reportBytes } from './progress-fd.js';
import { terminalStream } from './stream.js';

interface Bar {
  readonly update: (progress: { bytes: number; total: number | undefined; entries: number }) => void;
  readonly stop: () => void;
}

/** How far a source is read; on a terminal and to --progress-fd. @param verb "importing" */
export async function readBar(verb: string): Promise<Bar> {
  const report: Bar['update'] = ({ bytes, total }) => {
    if (total !== undefined) reportBytes(verb, bytes, total);
  };
  if (!process.stderr.isTTY) return { update: report, stop: () => undefined };
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar({
    format: `${verb} {bar} {percentage}%  {read} of {all}, {eta_formatted} left  {entries} entries`,
    stream: terminalStream(),
    clearOnComplete: true,
    hideCursor: true,
  });
  let started = false;
  return {
    update({ bytes, total, entries }) {
      report({ bytes, total, entries });
      if (total === undefined) return;
      const words = { entries, read: bytesText(bytes), all: bytesText(total) };
      if (!started) bar.start(total, bytes, words);
      started = true;
      bar.update(bytes, words);
    },
    stop() {
      if (started) bar.stop();
      started = false;
    },
  };
}
