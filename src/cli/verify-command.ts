import type { Command } from 'commander';
import type { FindingData, VerifyData } from '../app/verify.js';
import { exitCodes } from '../base/errors.js';
import { contextOf } from './context.js';
import { setExitCode } from './exit-code.js';
import { counted, shown } from './output.js';
import { withSteps } from './steps.js';

export function addVerifyCommand(program: Command): void {
  program
    .command('verify [node...]')
    .description('check the store for damage, and for what crashes left')
    .option('--quick', 'do not read contents: names, attributes and sizes only')
    .option('--repair', 'repair what can be repaired without loss')
    .addHelpText(
      'after',
      '\nNODE: a node, a container (with everything below it) or a base. Exits with 5 if something is damaged.\n\nExamples:\n  lamina verify\n  lamina verify web --quick',
    )
    .action(async (nodes: string[], options: { quick?: boolean; repair?: boolean }, command: Command) => {
      const { output, store, signal, act } = contextOf(command);
      const { quick = false, repair = false } = options;
      const data = await withSteps('nodes', async ({ onStep, onProgress }) =>
        act({ path: '/verify', body: { nodes, quick, repair }, onProgress }, async () => {
          const { verify } = await import('../app/verify.js');
          return verify(await store(), { nodes, quick, repair, signal, onStep });
        }),
      );
      if (data.damaged) setExitCode(exitCodes.damaged);
      output.result(data, () => verifyText(data));
    });
}

function verifyText({ nodes, entries, findings, damaged }: VerifyData): string {
  const compared = `compared ${counted(nodes, 'sealed node')}, ${counted(entries, 'entry', 'entries')}`;
  const open = findings.filter(({ repaired }) => !repaired);
  if (open.length === 0 && findings.length === 0) return `${compared}: nothing is wrong`;
  const mendable = open.some(({ repair }) => repair !== null);
  return [
    ...findings.map(findingText),
    `${compared}: ${damaged ? 'the store is damaged' : 'nothing is lost'}`,
    ...(mendable ? ['lamina verify --repair repairs what can be repaired'] : []),
  ].join('\n');
}

function findingText({ severity, subject, path, message, repair, repaired, ...concerned }: FindingData): string {
  const what = `${severity}: ${shown(subject)}${path === null ? '' : ` ${shown(path)}`}: ${shown(message)}`;
  const { containers, updates } = concerned;
  return [
    what,
    ...(containers.length > 0 ? [`  in the root of: ${containers.join(', ')}`] : []),
    ...(updates.length > 0 ? [`  of update: ${updates.join(', ')}`] : []),
    ...(repaired ? ['  repaired'] : repair === null ? [] : [`  --repair would ${repair}`]),
  ].join('\n');
}
