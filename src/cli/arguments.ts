import { Option } from 'commander';
import { usage } from '../base/errors.js';
import { longestTimeout } from '../base/time.js';

/** What happens to a path that both the container and the update changed. */
export type ConflictWord = (typeof conflictWords)[number];
const conflictWords = ['keep', 'ours', 'theirs', 'fail'] as const;

export const conflictOption = (description: string) =>
  new Option('--conflict <what>', description).choices(conflictWords);

/** For options that may be repeated. */
export const collect = (value: string, before: string[] = []) => [...before, value];

/** @throws LaminaError usage where the text is not a number above 0 */
export function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{0,15}(\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw usage(`--${option} ${text}: give a number above 0`);
}

/** @throws LaminaError usage where the text is not a time above 0, or longer than one may be */
export function secondsOf(option: string, text: string | undefined): number | undefined {
  const seconds = numberOf(option, text);
  if (seconds === undefined || seconds <= longestTimeout) return seconds;
  throw usage(`--${option} ${seconds}: give at most ${longestTimeout} seconds (30 days)`);
}

/** @throws LaminaError usage where the text is not a whole number from `least` */
export function countOf(option: string, text: string | undefined, least = 0): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  throw usage(`--${option} ${text}: give a whole number, ${least} or more`);
}

/** For --max-size. docs/security.md, "Limits of input", has the limits that it replaces. */
export const maxSizeHelp =
  'the largest size that an archive may unpack to, such as 20g (default: 200 times its size, at most 90 % of the free space)';

const units: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** @throws LaminaError usage where the text is not a size: a number of bytes, or of KiB, MiB, GiB, TiB by its letter */
export function bytesOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (units[unit.toLowerCase()] ?? Number.NaN));
  if (number !== '' && bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw usage(`--${option} ${text}: give a size such as 512m or 2g`);
}
