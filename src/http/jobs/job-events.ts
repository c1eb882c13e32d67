import { messageOf } from '../../base/errors.js';
import { isRecord, jsonOf } from '../../base/json.js';
import { warn } from '../../base/this-command.js';
import type { JobData } from '../documents.js';
import type { Stream } from '../event-streams.js';
import { bytesAt, longestLine, sizeOf } from './job-files.js';
import type { JobFiles } from './job-files.js';

/** Where a reader stands in the files of a job: the id of the event that it had last. */
export interface Position {
  readonly progress: number;
  readonly output: number;
  readonly ended: boolean;
}

const start: Position = { progress: 0, output: 0, ended: false };
const idText = ({ progress, output, ended }: Position) => `${progress}-${output}${ended ? '-end' : ''}`;

/** Of Last-Event-ID; the start where there is none, or it is no id of this job. */
export function positionOf(id: string | undefined, files: JobFiles): Position {
  const [, progress, output, end] = /^(\d{1,15})-(\d{1,15})(-end)?$/.exec(id ?? '') ?? [];
  if (progress === undefined || output === undefined) return start;
  const position = { progress: Number(progress), output: Number(output), ended: end !== undefined };
  const isBeyond = position.progress > sizeOf(files.progress) || position.output > sizeOf(files.output);
  return isBeyond ? start : position;
}

/** Milliseconds between reads, and bytes that are sent at a time: so much may wait for each of many readers. */
const pause = 200;
const mostAtOnce = 16 << 10;

/** Sends what a job prints and reports from a position on, and its end. */
export function followJob(stream: Stream, files: JobFiles, from: Position, job: () => JobData): void {
  let at = from;
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    try {
      step();
    } catch (error) {
      // Its files may be gone: old jobs are removed.
      warn(`cannot follow a job any further: ${messageOf(error)}`);
      stream.end();
    }
  };
  const step = () => {
    const { state } = job();
    const before = at;
    if (stream.isDrained) at = sendNew(stream, files, at, state !== 'running');
    const isNew = at.progress !== before.progress || at.output !== before.output;
    if (state !== 'running' && !isNew && stream.isDrained) {
      stream.send('end', idText({ ...at, ended: true }), job());
      stream.end();
    } else timer = setTimeout(look, isNew && stream.isDrained ? 10 : pause);
  };
  stream.onClose(() => {
    clearTimeout(timer);
  });
  look();
}

/** @param isLast nothing is added any more */
function sendNew(stream: Stream, files: JobFiles, from: Position, isLast: boolean): Position {
  let at = from;
  const whole = wholeLines(files, at.progress, mostAtOnce) ?? wholeLines(files, at.progress, longestLine) ?? '';
  for (const line of whole.split('\n').slice(0, -1)) {
    at = { ...at, progress: at.progress + Buffer.byteLength(line) + 1 };
    stream.send('progress', idText(at), parsed(line));
  }
  const output = bytesAt(files.output, at.output, mostAtOnce, true);
  const lines = output.lastIndexOf(0x0a) + 1;
  const taken = lines > 0 ? lines : isLast || output.length === mostAtOnce ? wholeCharacters(output) : 0;
  if (taken > 0) {
    at = { ...at, output: at.output + taken };
    stream.send('output', idText(at), { text: output.toString('utf8', 0, taken) });
  }
  return at;
}

/** Undefined: so many bytes hold no whole line. */
function wholeLines({ progress }: JobFiles, from: number, most: number): string | undefined {
  const bytes = bytesAt(progress, from, most, true);
  const end = bytes.lastIndexOf(0x0a) + 1;
  return end === 0 && bytes.length === most ? undefined : bytes.toString('utf8', 0, end);
}

function parsed(line: string): object {
  const value = jsonOf(line);
  return isRecord(value) ? value : {};
}

/** The length without a character of UTF-8 that is cut off at the end; never 0 where there are bytes. */
function wholeCharacters(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes.length - end < 3 && ((bytes[end - 1] ?? 0) & 0xc0) === 0x80) end -= 1;
  const lead = bytes[end - 1] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  const isWhole = end - 1 + length <= bytes.length;
  return isWhole ? bytes.length : end - 1 === 0 ? bytes.length : end - 1;
}
