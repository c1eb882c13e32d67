import type { ChangeData, UpdateData } from '../app/data.js';
import { bytesText } from '../base/units.js';
import type { PreviewData } from '../app/apply.js';
import type { UpdateShowData } from '../app/update-show.js';
import { counted, shown, table } from './output.js';

/** An update for people: its layer, and what it did in each container. */
export function updateText(update: UpdateData | UpdateShowData): string {
  const rows = update.effects.map(({ container, outcome, storage, entries, bytes, conflicts, ...more }) => [
    container,
    outcome,
    storage === null ? '-' : `${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}`,
    conflicts === 0 ? '-' : String(conflicts),
    'met' in more && more.met !== null ? `/${more.met}` : '-',
    storage ?? '',
  ]);
  const layer = `${counted(update.entries, 'entry', 'entries')}, ${bytesText(update.bytes)}`;
  const head = `base ${update.base}: delta layer ${update.layer}, ${layer}, ${update.state}`;
  const columns = ['CONTAINER', 'OUTCOME', 'SIDE EFFECT', 'CONFLICTS', 'RAN BECAUSE OF', 'DELTA STORAGE'];
  return `${head}\n${table(columns, rows, 'no container was on the base')}`;
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
