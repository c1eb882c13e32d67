import type { ChangeData, UpdateData } from '../app/data.js';
import type { PreviewData } from '../app/apply.js';
import { counted, shown, table } from './output.js';

/** An update for people: its layer, and what it did in each container. */
export function updateText(update: UpdateData): string {
  const rows = update.effects.map(({ container, outcome, storage, entries }) => [
    container,
    outcome,
    storage === null ? '-' : counted(entries, 'entry', 'entries'),
    storage ?? '',
  ]);
  const head = `base ${update.base}: delta layer ${update.layer}, ${counted(update.entries, 'entry', 'entries')}, ${update.state}`;
  return `${head}\n${table(['CONTAINER', 'OUTCOME', 'SIDE EFFECT', 'DELTA STORAGE'], rows, 'no container was on the base')}`;
}

/** What an update would change, for people. @param verbose with the list of changes */
export function previewText({ base, containers }: PreviewData, verbose: boolean): string {
  const count = (changes: readonly ChangeData[]) =>
    Object.entries({ add: 'added', modify: 'modified', delete: 'deleted' })
      .map(([change, done]) => `${changes.filter((each) => each.change === change).length} ${done}`)
      .join(', ');
  const list = (changes: readonly ChangeData[]) =>
    verbose ? changes.map(({ path, change, type }) => `  ${change.padEnd(6)}  ${type.padEnd(9)}  /${shown(path)}`) : [];
  return [
    'a dry run: nothing was changed',
    `base ${base.name}: ${count(base.changes)}, ${counted(base.bytes, 'byte')} of content`,
    ...list(base.changes),
    ...containers.flatMap(({ container, outcome, entries, bytes, changes }) => [
      `container ${container}: ${outcome}; ${count(changes)}; side effect ${counted(entries, 'entry', 'entries')}, ${counted(bytes, 'byte')}`,
      ...list(changes),
    ]),
  ].join('\n');
}
