import type { ApplyData } from '../app/apply.js';
import { counted, shown } from './output.js';

const words = { differs: 'differs', 'only-first': 'only in the first run', 'only-second': 'only in the second run' };

/** How two runs differ, for people, with what to add to update.json. */
export function determinismText({ differs, ephemeral }: NonNullable<ApplyData['determinism']>): string {
  if (differs.length === 0) return 'two runs on the base gave the same result, except for timestamps';
  const offered =
    ephemeral.length === 0
      ? ['no glob excludes this without excluding more']
      : ['to exclude this from the update, add to its update.json:', `  "ephemeral": ${JSON.stringify(ephemeral)}`];
  return [
    `two runs on the base differ in ${counted(differs.length, 'path')}; the update holds the result of the first run:`,
    ...differs.map(({ path, how }) => `  ${shown(path)}: ${words[how]}`),
    ...offered,
    'at these paths, a run in a skipped container might have given another result',
  ].join('\n');
}
