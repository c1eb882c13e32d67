import type { Command } from 'commander';
import type { ExplainData, Origin } from '../app/explain.js';
import type { LogData, LoggedOperation } from '../app/log.js';
import type { RunOutputData } from '../app/run-output.js';
import { fromText, toBuffer } from '../base/bytes.js';
import { PrintableText } from '../base/printable.js';
import { contextOf } from './context.js';
import { shown, table } from './output.js';
import { escaped } from './remote/escaped.js';
import { refuseIdle } from './usage.js';

interface LogOptions {
  readonly container?: string;
  readonly path?: string;
  readonly output?: true;
}

export function addLog(program: Command): void {
  program
    .command('log <update>')
    .description('list the operations that a procedure made, or show what it printed')
    .option('--container <name>', 'those of the run in this container (default: of the run on the base)')
    .option('--path <glob>', 'only those on paths that match, or below such paths')
    .option('--output', 'show what it printed instead')
    .addHelpText(
      'after',
      "\nExamples:\n  lamina log openssl-fix --container web\n  lamina log openssl-fix --output\n  lamina log openssl-fix --path '/etc/*.conf'",
    )
    .action(async (name: string, options: LogOptions, command: Command) => {
      refuseIdle(command, [
        { option: 'path', unless: (given) => given['output'] !== true, because: 'with --output, which has no paths' },
      ]);
      if (options.output === true) {
        await showOutput(command, name, options);
        return;
      }
      const { output, read } = contextOf(command);
      const { container, path: glob } = options;
      const parameters = `container=${escaped(container ?? '')}&path=${escaped(glob ?? '')}`;
      const where = `/updates/${escaped(name)}/log?${parameters}`;
      const data = await read({ path: where, list: 'operations', place: 'after' }, async (store) =>
        (await import('../app/log.js')).log(store, name, { container, glob }),
      );
      output.result(data, () => operationsText(data.operations, noneText(data, options)));
    });
}

/** As much as a server answers at once. */
const mostRemote = 1 << 20;

async function showOutput(command: Command, name: string, { container }: LogOptions): Promise<void> {
  const { output, read } = contextOf(command);
  const query = `container=${escaped(container ?? '')}&last=${mostRemote}`;
  const data = await read<RunOutputData>({ path: `/updates/${escaped(name)}/output?${query}` }, async (store) => {
    const { runOutput, wholeOutput } = await import('../app/run-output.js');
    return runOutput(store, name, { container, most: wholeOutput });
  });
  const shownBytes = fromText(data.output).length;
  if (shownBytes < data.bytes) output.note(`only the last ${shownBytes} of ${data.bytes} bytes are shown`);
  const where = container === undefined ? 'on the base' : `in container ${shown(container)}`;
  output.result(data, () => {
    if (!data.ran) return `the procedure did not run ${where}`;
    const text = new PrintableText();
    const bytes = Buffer.concat([text.add(toBuffer(fromText(data.output))), text.end()]);
    return data.bytes === 0 ? `the procedure printed nothing ${where}` : bytes.toString('utf8').replace(/\n$/, '');
  });
}

function noneText({ ran, recorded }: LogData, { container, path }: LogOptions): string {
  const where = container === undefined ? 'on the base' : `in container ${shown(container)}`;
  if (!ran) return `the procedure did not run ${where}`;
  if (!recorded) return `what the procedure did ${where} was not recorded: it ran there by the kernel`;
  return path === undefined
    ? `the procedure changed nothing ${where}`
    : `the procedure changed nothing ${where} that matches ${shown(path)}`;
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
    .description("show where a path in a container's root comes from, which command made it, and what it hides")
    .addHelpText('after', '\nExample:\n  lamina explain web /etc/app.conf')
    .action(async (container: string, path: string, _options: object, command: Command) => {
      const { output, read } = contextOf(command);
      const where = `/containers/${escaped(container)}/explain?path=${escaped(path)}`;
      const data = await read({ path: where }, async (store) =>
        (await import('../app/explain.js')).explain(store, container, path),
      );
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
      : `, from one of these updates, which were merged without a record of the origin of each path: ${folded.map(shown).join(', ')}`;
  return `${what} in ${kind} ${node}${maker}${where}${several}`;
}

const whyUnknown: Readonly<Record<NonNullable<ExplainData['journal']>, string>> = {
  gone: 'its journal is gone',
  unrecorded: "it ran in the container on the kernel's engine, which records nothing",
  kept: 'an update from a layer runs no commands, so its journal is empty',
};

function provenanceText({ origin, operations, run, journal, before }: ExplainData): string[] {
  if (operations.length === 0) {
    if (origin.update === null || origin.type === 'directory' || journal === null) return [];
    return [`  the command of update ${shown(origin.update)} that made it is unknown: ${whyUnknown[journal]}`];
  }
  const kept = run === 'base' && origin.kind === 'delta-storage';
  const head = kept
    ? [
        "the update keeps the container's version: the procedure changed this path on the base, with the operations below, but not in the container:",
      ]
    : [];
  const moved = before === null ? [] : [`before the update it was ${shown(before)}`];
  return ['', ...head, ...moved, operationsText(operations, '')];
}
