import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { MergeData } from '../app/merge.js';
import { bytesText } from '../base/units.js';
import { countOf } from './arguments.js';
import { contextOf } from './context.js';
import { usage } from '../base/errors.js';
import { counted } from './output.js';
import { escaped } from './remote/escaped.js';
import { withSteps } from './steps.js';
import { terminalStream } from './stream.js';
import { refuseIdle } from './usage.js';

interface MergeOptions {
  readonly dryRun?: boolean;
  readonly keep?: string;
  readonly yes?: boolean;
}

export function addMergeCommand(program: Command): void {
  program
    .command('merge [base]')
    .description('fold layers, delta storages and sealed storages into the ones below them; no root changes')
    .option('--dry-run', 'only show what would be done, and how much space it would save')
    .option('--keep <n>', 'leave the newest N updates of a base as they are, so that they can be rolled back')
    .option('--yes', 'do not ask for confirmation if updates can then no longer be rolled back')
    .addHelpText('after', '\nExamples:\n  lamina merge debian --dry-run\n  lamina merge --keep 2 --yes')
    .action(async (base: string | undefined, options: MergeOptions, command: Command) => {
      refuseIdle(command, [
        { option: 'yes', unless: ({ dryRun }) => dryRun !== true, because: 'with --dry-run: nothing is asked' },
      ]);
      const { output, store, signal, act, isRemote } = contextOf(command);
      const { dryRun, yes } = options;
      const keep = countOf('keep', options.keep);
      if (isRemote && base === undefined)
        throw usage('with --remote, merge needs the name of a base', { hint: 'lamina --remote URL base list' });
      const order = { path: `/bases/${escaped(base ?? '')}/merge`, body: { keep, dryRun, yes } };
      const confirm = async (updates: readonly string[]) => yes === true || (await ask(updates, signal));
      const data = await withSteps('folds', async ({ onStep, onProgress }) =>
        act({ ...order, onProgress }, async () => {
          const { merge } = await import('../app/merge.js');
          return merge(await store(), { base, keep, dryRun, confirm, signal, onStep });
        }),
      );
      output.result(data, () => mergeText(data));
    });
}

/** Asks on a terminal; without one the answer is no. */
async function ask(updates: readonly string[], signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: terminalStream() });
  try {
    const question = `These updates can then no longer be rolled back: ${updates.join(', ')}\nMerge? [y/N] `;
    return /^y(es)?$/i.test((await terminal.question(question, { signal })).trim());
  } finally {
    terminal.close();
  }
}

function mergeText({ dryRun, steps, saved, updates }: MergeData): string {
  if (steps.length === 0) return 'there is nothing to merge';
  const lines = steps.map(({ kind, container, parts, node, before, after }) => {
    const whose = container === null ? '' : ` of container ${container}`;
    const what = `${counted(parts.length, kind === 'storage' ? 'storage' : 'layer')}${whose}`;
    const sizes = `${before.entries} → ${after.entries} entries, ${bytesText(before.bytes)} → ${bytesText(after.bytes)}`;
    return `${what} become one ${kind}${node === null ? '' : ` ${node}`}: ${sizes}`;
  });
  const total = `${dryRun ? 'would save' : 'saved'} ${counted(saved.entries, 'entry', 'entries')}, ${bytesText(Math.max(saved.bytes, 0))}`;
  const lost = updates.length === 0 ? [] : [`can no longer be rolled back: ${updates.join(', ')}`];
  return [...(dryRun ? ['a dry run: nothing was changed'] : []), ...lines, total, ...lost].join('\n');
}
