import type { UpdateData } from '../app/data.js';
import { bytesText } from '../base/units.js';
import type { UpdateShowData } from '../app/update-show.js';
import { counted, shown, table } from './output.js';

/** An update for people: its layer, and what it did in each container. */
export function updateText(update: UpdateData | UpdateShowData): string {
  const rows = update.effects.map(({ container, outcome, storage, entries, bytes, conflicts, ...more }) => [
    container,
    outcome,
    storage === null ? '-' : `${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}`,
    conflicts === 0 ? '-' : String(conflicts),
    ...('met' in more ? [more.met === null ? '-' : more.met] : []),
    storage ?? '',
  ]);
  const layer = `${counted(update.entries, 'entry', 'entries')}, ${bytesText(update.bytes)}`;
  const head = `base ${update.base}: delta layer ${update.layer}, ${layer}, ${update.state}`;
  const because = update.effects.some((effect) => 'met' in effect) ? ['RAN BECAUSE OF'] : [];
  const columns = ['CONTAINER', 'OUTCOME', 'SIDE EFFECT', 'CONFLICTS', ...because, 'DELTA STORAGE'];
  const told = update.effects.flatMap(({ container, ...more }) =>
    'conflictPaths' in more && more.conflictPaths.length > 0
      ? [`in conflict in container ${container}: ${more.conflictPaths.map(shown).join(', ')}`]
      : [],
  );
  const left = update.effects.flatMap(({ container, ...more }) =>
    'failure' in more && more.failure !== null
      ? [`container ${container} stays on its old layer: ${shown(more.failure)}`]
      : [],
  );
  return [head, table(columns, rows, 'no container was on the base'), ...told, ...left].join('\n');
}
