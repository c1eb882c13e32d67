/* Texts that several views use. All of them become text nodes; nothing here makes HTML. */
import { bytesText } from '../../src/base/units.js';

export { bytesText };

/** "1 entry", "2,000 entries". */
export function counted(count: number, one: string, several = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : several}`;
}

const numbers = new Intl.NumberFormat('en');
export const numberText = (count: number): string => numbers.format(count);

export const sizeText = (size: { readonly entries: number; readonly bytes: number }): string =>
  `${counted(size.entries, 'entry', 'entries')}, ${bytesText(size.bytes)}`;

/** Control characters, characters that reorder a line, and bytes that are not UTF-8 (U+DC80…U+DCFF, docs/format.md). */
const unseen = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udfff]/gu;

/**
 * A name or path from a container, as the command line shows it: what cannot be seen, or would reorder the line, is
 * escaped.
 */
export function shown(text: string): string {
  if (/^[ -~]*$/.test(text)) return text;
  return text.replace(unseen, (char) => {
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A text of several lines: line breaks and tabs stay. */
export const shownLines = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.split('\t').map(shown).join('\t'))
    .join('\n');

const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** A time of the server in the reader's time zone. */
export function timeText(time: string): string {
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? shown(time) : day.format(at);
}

const steps: readonly (readonly [number, string])[] = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [30, 'day'],
  [12, 'month'],
  [Infinity, 'year'],
];

/** "3 minutes ago". @param now by the server's clock, in milliseconds */
export function agoText(time: string, now: number): string {
  let amount = Math.max(0, (now - new Date(time).getTime()) / 1000);
  for (const [length, unit] of steps) {
    if (amount < length || length === Infinity) {
      const whole = Math.floor(amount);
      return unit === 'second' && whole < 10 ? 'just now' : `${counted(whole, unit)} ago`;
    }
    amount /= length;
  }
  return timeText(time);
}

/** "1.2 s", "3 min 20 s". */
export function durationText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${numberText(Math.floor(seconds / 60))} min ${Math.round(seconds % 60)} s`;
}

/** The first names, and how many more there are. */
export function namesText(names: readonly string[], most = 3): string {
  const more = names.length - most;
  return names.slice(0, most).map(shown).join(', ') + (more > 0 ? ` and ${numberText(more)} more` : '');
}
