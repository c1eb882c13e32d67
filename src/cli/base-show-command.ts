import type { Command } from 'commander';
import type { BaseShowData, ImageSettings } from '../app/base-show.js';
import { bytesText } from '../base/units.js';
import { contextOf } from './context.js';
import { counted, shown, table } from './output.js';
import { escaped } from './remote/escaped.js';

const help = `
Of a base that was made of an image also how the image says that it is run, which lamina run follows: see lamina help
run.

Example:
  lamina base show web`;

export function addBaseShow(base: Command): void {
  base
    .command('show <name>')
    .description('show a base: its layers, its image, and how the image says that it is run')
    .addHelpText('after', help)
    .action(async (name: string, _options: object, command: Command) => {
      const { output, read } = contextOf(command);
      const data = await read({ path: `/bases/${escaped(name)}` }, async (store) =>
        (await import('../app/base-show.js')).baseShow(store, name),
      );
      output.result(data, () => showText(data));
    });
}

function showText(data: BaseShowData): string {
  const { name, version, created, image, config, nodes } = data;
  const facts: [string, string][] = [['base', name]];
  if (version !== null) facts.push(['version', version]);
  facts.push(['created', created]);
  if (image !== null) {
    facts.push(['image', `${image.reference} for ${image.platform}`]);
    facts.push(['manifest', image.manifestDigest ?? 'none'], ['configuration', image.configDigest]);
  }
  if (config !== null) facts.push(...settingFacts(config));
  const width = Math.max(...facts.map(([word]) => word.length));
  const layers = nodes.map(({ id, update, image: layer, entries, bytes }) => [
    id,
    update ?? layer?.diffId ?? '-',
    counted(entries, 'entry', 'entries'),
    bytesText(bytes),
  ]);
  return [
    ...facts.map(([word, value]) => `${word.padEnd(width)}  ${shown(value)}`),
    '',
    table(['LAYER', 'UPDATE OR DIFF ID', 'ENTRIES', 'SIZE'], layers, 'there are no layers'),
  ].join('\n');
}

/** Each word of a command line is quoted, because it may hold spaces. */
function settingFacts(config: ImageSettings): [string, string][] {
  const { entrypoint, cmd, env, workdir, user, stopSignal, labels, ports, volumes } = config;
  const stated = (word: string, value: string | null): [string, string][] => (value === null ? [] : [[word, value]]);
  const words = (word: string, list: readonly string[] | null) =>
    stated(word, list === null ? null : JSON.stringify(list));
  const each = (word: string, list: readonly string[]) => list.flatMap((value) => stated(word, value));
  return [
    ...words('entrypoint', entrypoint),
    ...words('command', cmd),
    ...stated('user', user),
    ...stated('directory', workdir),
    ...stated('stop signal', stopSignal),
    ...each('variable', env),
    ...each('port', ports),
    ...each('volume', volumes),
    ...each(
      'label',
      Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    ),
  ];
}
