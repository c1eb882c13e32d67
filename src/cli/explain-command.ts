import type { Command } from 'commander';
import type { ExplainData, Origin } from '../app/explain.js';
import type { LogData, LoggedOperation } from '../app/log.js';
import { contextOf } from './context.js';
import { shown, table } from './output.js';

interface LogOptions {
  readonly container?: string;
  readonly path?: string;
}

export function addLog(program: Command): void {
  program
    .command('log <update>')
    .description('list the operations that a procedure made')
    .option('--container <name>', 'of the run for this container (default: on the base)')
    .option('--path <glob>', 'only those on matching paths, and below them')
    .addHelpText(
      'after',
      "\nExamples:\n  lamina log openssl-fix --container web\n  lamina log openssl-fix --path '/etc/*.conf'",
    )
    .action(async (name: string, options: LogOptions, command: Command) => {
      const { output, store } = contextOf(command);
      const { log } = await import('../app/log.js');
      const data = await log(await store(), name, { container: options.container, glob: options.path });
      output.result(data, () => operationsText(data.operations, noneText(data, options)));
    });
}

function noneText({ ran }: LogData, { container, path }: LogOptions): string {
  const where = container === undefined ? 'on the base' : `in container ${shown(container)}`;
  if (!ran) return `the procedure did not run ${where}`;
  return path === undefined
    ? `the procedure changed nothing ${where}`
    : `the procedure changed nothing ${where} that ${shown(path)} names`;
}

function operationsText(operations: readonly LoggedOperation[], none: string): string {
  const rows = operations.map((each) => [
    each.time,
    String(each.pid),
    String(each.uid),
    each.command === '' ? '-' : each.command,
    each.operation,
    each.to === undefined ? each.path : `${each.path} → ${each.to}`,
  ]);
  return table(['TIME', 'PID', 'UID', 'COMMAND', 'OPERATION', 'PATH'], rows, none);
}

export function addExplain(program: Command): void {
  program
    .command('explain <container> <path>')
    .description("show where a path of a container's root comes from, what made it so, and what it hides")
    .addHelpText('after', '\nExample:\n  lamina explain web /etc/app.conf')
    .action(async (container: string, path: string, _options: object, command: Command) => {
      const { output, store } = contextOf(command);
      const { explain } = await import('../app/explain.js');
      const data = await explain(await store(), container, path);
      output.result(data, () => explainText(data));
    });
}

function explainText(data: ExplainData): string {
  const { path, origin, merged, content, hides } = data;
  return [
    `${shown(path)}: ${originText(origin)}`,
    ...(content === null ? [] : [`  its content is that of the ${originText(content)}`]),
    ...merged.map((each) => `  merged with the ${originText(each)}`),
    ...hides.map((each) => `  hides the ${originText(each)}`),
    ...provenanceText(data),
  ].join('\n');
}

function originText({ type, kind, node, update, folded, path, hiding }: Origin): string {
  const how = { whiteout: 'whiteout of', opaque: 'opaque directory', replaced: 'other' };
  const what = hiding === null ? type : `${how[hiding.by]} ${shown(hiding.at)}`;
  const where = path === null ? '' : `, there as ${shown(path)}`;
  const maker = update === null ? '' : ` of update ${shown(update)}`;
  const several =
    folded.length === 0
      ? ''
      : `, from one of these updates, which were folded into it without a record of which made what: ${folded.map(shown).join(', ')}`;
  return `${what} in ${kind} ${node}${maker}${where}${several}`;
}

function provenanceText({ origin, operations, run, journal, before }: ExplainData): string[] {
  if (operations.length === 0) {
    if (origin.update === null || origin.type === 'directory' || journal === null) return [];
    const why =
      journal === 'gone' ? 'its journal is gone' : 'an update from a layer runs no commands, so its journal is empty';
    return [`  the command of update ${shown(origin.update)} that made it is unknown: ${why}`];
  }
  const kept = run === 'base' && origin.kind === 'delta-storage';
  const head = kept
    ? [
        "the container's own version is kept: the procedure did nothing to it here, but on the base it did, so the update's layer changes it:",
      ]
    : [];
  const moved = before === null ? [] : [`before the update it was ${shown(before)}`];
  return ['', ...head, ...moved, operationsText(operations, '')];
}
