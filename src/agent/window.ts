import { usage } from '../base/errors.js';

/** A time of the week in which updates may be applied, in the local time of the machine. */
export interface Window {
  /** As it was given. */
  readonly text: string;
  /** The days on which it opens: 0 is Sunday. */
  readonly days: ReadonlySet<number>;
  /** Minutes since midnight; where `to` is not after `from`, it closes on the next day. */
  readonly from: number;
  readonly to: number;
}

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const minuteMs = 60_000;
const dayMinutes = 24 * 60;

/**
 * Reads `[DAYS ]FROM-TO`, such as `02:00-04:00`, `Sat 02:00-04:00`, `Mon-Fri 22:00-02:00` or `Sat,Sun 10:00-18:00`.
 * @throws LaminaError usage
 */
export function parseWindow(text: string): Window {
  const [, days = '', from = '', to = ''] =
    /^\s*(?:([A-Za-z,-]+)\s+)?(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})\s*$/.exec(text) ?? [];
  const [begin, end] = [minutesOf(from), minutesOf(to)];
  const on = days === '' ? new Set(dayNames.keys()) : daysOf(days);
  if (begin !== undefined && begin < dayMinutes && end !== undefined && begin !== end && on !== undefined)
    return { text, days: on, from: begin, to: end };
  throw usage(`--window '${text.slice(0, 100)}' is not a time of the week`, {
    code: 'BAD_WINDOW',
    hint: "write it so: --window 'Sat 02:00-04:00', --window 'Mon-Fri 22:00-02:00', or --window 02:00-04:00 for every day",
  });
}

function minutesOf(time: string): number | undefined {
  const [, hours = '', minutes = ''] = /^(\d{1,2}):(\d{2})$/.exec(time) ?? [];
  const all = Number(hours) * 60 + Number(minutes);
  return hours !== '' && Number(minutes) < 60 && all <= dayMinutes ? all : undefined;
}

function daysOf(text: string): Set<number> | undefined {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const ends = part.split('-').map((each) => dayNames.indexOf(each.toLowerCase()));
    const [first = -1, last = first] = ends;
    if (ends.length > 2 || first < 0 || last < 0) return undefined;
    // Fri-Mon goes over the end of the week.
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === last) break;
    }
  }
  return days;
}

/** Whether updates may be applied at this moment; without any window they always may. */
export function isOpen(windows: readonly Window[], now: Date): boolean {
  const minute = now.getHours() * 60 + now.getMinutes();
  const day = now.getDay();
  const before = (day + 6) % 7;
  return (
    windows.length === 0 ||
    windows.some(({ days, from, to }) =>
      from < to
        ? days.has(day) && minute >= from && minute < to
        : (days.has(day) && minute >= from) || (days.has(before) && minute < to),
    )
  );
}

/**
 * Milliseconds until a window is open, to the beginning of a minute. Each minute of the coming week and a day is asked
 * for its local time, so that a change of the clocks in between counts.
 */
export function msUntilOpen(windows: readonly Window[], now: Date): number {
  if (isOpen(windows, now)) return 0;
  const start = Math.floor(now.getTime() / minuteMs) * minuteMs;
  for (let minutes = 1; minutes <= 8 * dayMinutes; minutes++) {
    const at = start + minutes * minuteMs;
    if (isOpen(windows, new Date(at))) return at - now.getTime();
  }
  // A window that falls into the hour which the clocks leave out, once a year: ask again.
  return 8 * dayMinutes * minuteMs;
}
