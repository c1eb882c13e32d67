import { becauseText } from '../../src/data/because-text.js';
import type { RanBecauseOfData } from '../../src/data/index.js';
import { bytesText, counted, shown, shownLines } from '../base/text.js';
import { go, linkTo, linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { LongTable } from '../parts/long-table.js';
import type { Column } from '../parts/long-table.js';
import { Outcome } from '../parts/small.js';
import { outcomes } from './counts.js';

interface Effect {
  readonly container: string;
  readonly outcome: string | null;
  readonly storage?: string | null;
  readonly entries?: number;
  readonly bytes?: number;
  readonly conflicts?: number;
  readonly conflictPaths: readonly string[];
  readonly ranBecauseOf: RanBecauseOfData | null;
  readonly engine: string | null;
  readonly failure: string | null;
}

const rowHeight = 46;

/** How the update ended in each container, and why it ran there or was skipped. */
export function Outcomes({ effects, route }: { effects: readonly Effect[]; route: Route | undefined }) {
  const only = route?.query.get('only') ?? '';
  const rows = only === '' ? effects : effects.filter(({ outcome }) => outcome === only);
  const special = effects.filter(({ outcome, conflictPaths }) => outcome === 'failed' || conflictPaths.length > 0);
  if (effects.length === 0) return <p class="quiet">No container was on the base.</p>;
  return (
    <>
      {route !== undefined && (
        <form class="filters">
          <label>
            <span>Outcome</span>
            <select value={only} onChange={(event) => replace(linkWith(route, { only: event.currentTarget.value }))}>
              <option value="">all</option>
              {outcomes.map((outcome) => (
                <option key={outcome} value={outcome}>
                  {outcome}
                </option>
              ))}
            </select>
          </label>
          <p class="quiet" role="status">
            {counted(rows.length, 'container')}
          </p>
        </form>
      )}
      <LongTable
        label="Outcome in each container"
        className="outcomes"
        items={rows}
        keyOf={({ container }) => container}
        rowHeight={rowHeight}
        columns={columns}
        open={({ container }) => go(linkTo(['containers', container]))}
      />
      {special.length > 0 && <Special effects={special} />}
    </>
  );
}

const columns: readonly Column<Effect>[] = [
  {
    name: 'name',
    head: 'Container',
    cell: ({ container }) => (
      <a href={linkTo(['containers', container])} tabIndex={-1}>
        {shown(container)}
      </a>
    ),
  },
  {
    name: 'outcome',
    head: 'Outcome',
    cell: ({ outcome }) => (outcome === null ? '-' : <Outcome outcome={outcome} />),
  },
  {
    name: 'why',
    head: 'Why',
    cell: (effect) => shown(whyText(effect)),
    full: (effect) => shown(whyText(effect)),
  },
  {
    name: 'effect',
    head: 'Side effect',
    cell: ({ storage, entries = 0, bytes = 0 }) =>
      storage === null || storage === undefined ? (
        <span class="quiet">none</span>
      ) : (
        `${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}`
      ),
  },
];

function whyText({ outcome, ranBecauseOf, failure }: Effect): string {
  const first = failure?.split('\n')[0];
  if (first !== undefined) return outcome === 'failed' ? `stays on its old layer: ${first}` : first;
  if (outcome === 'skipped') return 'skipped: its root equals the base wherever the run read or wrote';
  if (ranBecauseOf !== null) return `ran: it differs from the base at ${becauseText(ranBecauseOf)}`;
  return outcome === null ? '-' : 'ran';
}

function Special({ effects }: { effects: readonly Effect[] }) {
  return (
    <section aria-label="Needs attention">
      <h2>Needs attention</h2>
      <ul class="special">
        {effects.map(({ container, failure, conflictPaths }) => (
          <li key={container}>
            {failure !== null && (
              <p>
                Container <a href={linkTo(['containers', container])}>{shown(container)}</a> stays on its old layer:{' '}
                {shownLines(failure)}
              </p>
            )}
            {conflictPaths.length > 0 && (
              <p>
                In conflict in container <a href={linkTo(['containers', container])}>{shown(container)}</a>:{' '}
                {conflictPaths.map((path, at) => (
                  <span key={path}>
                    {at > 0 && ', '}
                    <a href={linkTo(['containers', container, 'changes'], { path })}>{shown(path)}</a>
                  </span>
                ))}
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
