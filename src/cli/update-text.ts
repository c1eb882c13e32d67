import type { UpdateData } from '../data/index.js';
import { someOf } from '../base/some-of.js';
import { bytesText } from '../base/units.js';
import type { PastShowData, UpdateShowData } from '../app/update-show.js';
import { becauseText } from '../data/index.js';
import { EnginesTaken } from './engine-option.js';
import { counted, shown, table } from './output.js';

/** An update for people: its layer, and what it did in each container. */
export function updateText(update: UpdateData | UpdateShowData): string {
  const rows = update.effects.map(({ container, outcome, storage, entries, bytes, conflicts, ...more }) => [
    container,
    outcome,
    storage === null ? '-' : `${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}`,
    conflicts === 0 ? '-' : String(conflicts),
    ...('ranBecauseOf' in more ? [becauseText(more.ranBecauseOf), more.engine ?? '-'] : []),
    storage ?? '',
  ]);
  const layer = `${counted(update.entries, 'entry', 'entries')}, ${bytesText(update.bytes)}`;
  const head = `base ${update.base}: delta layer ${update.layer}, ${layer}, ${update.state}`;
  const because = update.effects.some((effect) => 'ranBecauseOf' in effect) ? ['RAN BECAUSE OF', 'ENGINE'] : [];
  const columns = ['CONTAINER', 'OUTCOME', 'SIDE EFFECT', 'CONFLICTS', ...because, 'DELTA STORAGE'];
  const details = update.effects.flatMap(({ container, ...more }) =>
    'conflictPaths' in more && more.conflictPaths.length > 0
      ? [`in conflict in container ${container}: ${someOf(more.conflictPaths.map(shown))}`]
      : [],
  );
  const engines = enginesText(update.effects.flatMap((effect) => ('engine' in effect ? [effect] : [])));
  const left = update.effects.flatMap(({ container, ...more }) =>
    'failure' in more && more.failure !== null
      ? [`container ${container} stays on its old layer: ${shown(more.failure)}`]
      : [],
  );
  const why = 'reason' in update && update.reason !== null ? [`why: ${lines(update.reason)}`] : [];
  return [head, ...why, table(columns, rows, 'no container was on the base'), ...engines, ...details, ...left].join(
    '\n',
  );
}

/** Why the engines are what they are, where that was left to Lamina. */
function enginesText(effects: readonly Pick<UpdateShowData['effects'][number], Shown>[]): string[] {
  const taken = new EnginesTaken();
  for (const { container, engine, engineBecause } of effects)
    if (engine !== null) taken.add(container, { engine, because: engineBecause ?? undefined });
  return taken.lines();
}
type Shown = 'container' | 'engine' | 'engineBecause';

/** A text of several lines, each safe for a terminal. */
const lines = (text: string) => text.split('\n').map(shown).join('\n  ');

/** An update that ended, for people. */
export function endedText(past: PastShowData): string {
  const rows = past.effects.map(({ container, outcome, failure, ranBecauseOf, engine }) => [
    container,
    outcome ?? '-',
    becauseText(ranBecauseOf),
    engine ?? '-',
    failure ?? '',
  ]);
  const columns = ['CONTAINER', 'OUTCOME', 'RAN BECAUSE OF', 'ENGINE', 'FAILURE'];
  const again = past.redo ? [`to apply it again: lamina update redo ${past.name}`] : [];
  const made = past.version === null ? '' : `, made version ${past.version}`;
  return [
    `base ${past.base}: ${past.procedure}, ${past.state} (${past.id})${made}`,
    `begun ${past.created}, ended ${past.ended}`,
    `why: ${lines(past.reason)}`,
    ...(rows.length === 0 ? [] : [table(columns, rows, '')]),
    ...enginesText(past.effects),
    ...again,
  ].join('\n');
}

/** The first line of a reason, short enough for a list. */
export function shortReason(reason: string): string {
  const [line = ''] = reason.split('\n');
  return line.length > 100 ? `${line.slice(0, 99)}…` : line;
}
