import type { ApplyData } from '../app/apply.js';
import { counted, shown } from './output.js';

const words = { differs: 'differs', 'only-first': 'only in the first run', 'only-second': 'only in the second run' };

/** How two runs differ, for people, with what to add to update.json. */
export function determinismText({ differs, ephemeral }: NonNullable<ApplyData['determinism']>): string {
  if (differs.length === 0) return 'two runs on the base made the same, but for timestamps';
  const offered =
    ephemeral.length === 0
      ? ['no glob leaves this out without leaving out more']
      : ['to leave this out of the update, put into its update.json:', `  "ephemeral": ${JSON.stringify(ephemeral)}`];
  return [
    `two runs on the base differ in ${counted(differs.length, 'path')}; the update is made of the first:`,
    ...differs.map(({ path, how }) => `  ${shown(path)}: ${words[how]}`),
    ...offered,
    'that a skipped container would get the same by a run of its own holds for the rest only',
  ].join('\n');
}
