/* Recorded operations as lanes, one for each process. Pure. */
import type { LoggedOperation } from '../api/documents.js';

export interface Lane {
  readonly pid: number;
  readonly command: string;
  readonly count: number;
  /** Places on the time line, from 0 to 1, with what was done there; near ones are one. */
  readonly marks: readonly { readonly at: number; readonly end: number; readonly count: number }[];
  readonly first: number;
  readonly last: number;
}

export interface Timeline {
  readonly lanes: readonly Lane[];
  /** Milliseconds from the first operation to the last. */
  readonly length: number;
}

/** Marks nearer to each other than this share of the line are drawn as one. */
const nearest = 1 / 240;

/** A process that runs another program is another lane: its command has changed. */
export function timelineOf(operations: readonly LoggedOperation[]): Timeline {
  const times = operations.map(({ time }) => millisecondsOf(time));
  const first = times.reduce((least, time) => Math.min(least, time), Infinity);
  const last = times.reduce((most, time) => Math.max(most, time), -Infinity);
  const length = operations.length === 0 ? 0 : last - first;
  const lanes = new Map<string, { pid: number; command: string; places: number[] }>();
  operations.forEach(({ pid, command }, at) => {
    const key = `${pid} ${command}`;
    const lane = lanes.get(key) ?? { pid, command, places: [] };
    lane.places.push(length === 0 ? 0 : ((times[at] ?? first) - first) / length);
    lanes.set(key, lane);
  });
  return {
    length,
    lanes: [...lanes.values()].map(({ pid, command, places }) => ({
      pid,
      command,
      count: places.length,
      marks: marksOf(places.sort((a, b) => a - b)),
      first: places[0] ?? 0,
      last: places.at(-1) ?? 0,
    })),
  };
}

function marksOf(places: readonly number[]): Lane['marks'] {
  const marks: { at: number; end: number; count: number }[] = [];
  for (const place of places) {
    const before = marks.at(-1);
    if (before !== undefined && place - before.end < nearest) {
      before.end = place;
      before.count += 1;
    } else marks.push({ at: place, end: place, count: 1 });
  }
  return marks;
}

/** Date knows milliseconds only; the journal has nanoseconds. */
function millisecondsOf(time: string): number {
  const [, fraction = ''] = /\.(\d+)Z$/.exec(time) ?? [];
  const whole = Date.parse(time.replace(/\.\d+Z$/, 'Z'));
  return whole + Number(`0.${fraction === '' ? '0' : fraction}`) * 1000;
}
