import { useMemo } from 'preact/hooks';
import { useList } from '../api/use-document.js';
import type { LoggedOperation } from '../api/documents.js';
import { counted, durationText, numberText, shown } from '../base/text.js';
import { linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { OperationsTable } from '../parts/operations-table.js';
import { Empty, Shown } from '../parts/small.js';
import { RunOutput } from './run-output.js';
import { timelineOf } from './timeline.js';
import type { Lane } from './timeline.js';

/** As GET /updates/NAME/log answers. */
interface LogDocument {
  readonly operations: readonly LoggedOperation[];
  readonly ran: boolean;
  readonly recorded: boolean;
}

interface Props {
  readonly name: string;
  readonly effects: readonly { readonly container: string; readonly outcome: string }[];
  readonly route: Route;
}

/** What the procedure did, on the base or in a container. */
export function Operations({ name, effects, route }: Props) {
  const container = route.query.get('container') ?? '';
  const query = { container };
  const loaded = useList<LogDocument>(['updates', name, 'log'], 'operations', query, 'after');
  const ran = effects.filter(({ outcome }) => outcome === 'changed' || outcome === 'unchanged');
  return (
    <>
      <form class="filters">
        <label>
          <span>The run</span>
          <select
            value={container}
            onChange={(event) =>
              replace(linkWith(route, { container: event.currentTarget.value, lane: undefined, from: undefined }))
            }
          >
            <option value="">on the base</option>
            {ran.map((each) => (
              <option key={each.container} value={each.container}>
                in container {shown(each.container)}
              </option>
            ))}
          </select>
        </label>
      </form>
      <RunOutput name={name} container={container} />
      <Shown of={loaded} what="operations">
        {(log) => (
          <Log log={log} route={route} where={container === '' ? 'on the base' : `in container ${shown(container)}`} />
        )}
      </Shown>
    </>
  );
}

const pageLength = 200;

function Log({ log, route, where }: { log: LogDocument; route: Route; where: string }) {
  const { operations, ran, recorded } = log;
  const timeline = useMemo(() => timelineOf(operations), [operations]);
  const lane = route.query.get('lane');
  const from = Math.max(0, Number(route.query.get('from') ?? 0) || 0);
  const chosen = lane === undefined ? operations : operations.filter((each) => `${each.pid} ${each.command}` === lane);
  if (operations.length === 0)
    return (
      <Empty title={ran ? (recorded ? 'No operation' : 'Not recorded') : 'It did not run'}>
        <p>
          {!ran && `The procedure did not run ${where}.`}
          {ran && !recorded && `The run ${where} was not recorded: it used the kernel's engine.`}
          {ran && recorded && `The procedure changed nothing ${where}.`}
        </p>
      </Empty>
    );
  return (
    <>
      <p class="quiet">
        {counted(operations.length, 'operation')} by {counted(timeline.lanes.length, 'process', 'processes')} in{' '}
        {durationText(timeline.length)}
      </p>
      <ol class="timeline" aria-label="Operations by process">
        {timeline.lanes.slice(0, mostLanes).map((each) => (
          <LaneRow
            key={`${each.pid} ${each.command}`}
            lane={each}
            isChosen={lane === `${each.pid} ${each.command}`}
            choose={() =>
              replace(
                linkWith(route, {
                  lane: lane === `${each.pid} ${each.command}` ? undefined : `${each.pid} ${each.command}`,
                  from: undefined,
                }),
              )
            }
          />
        ))}
      </ol>
      {timeline.lanes.length > mostLanes && (
        <p class="quiet">
          and {counted(timeline.lanes.length - mostLanes, 'more process', 'more processes')}; the table lists all
        </p>
      )}
      <OperationsTable label="Operations" operations={chosen.slice(from, from + pageLength)} />
      <Pages count={chosen.length} from={from} route={route} />
    </>
  );
}

const mostLanes = 60;
const width = 1000;

function LaneRow({ lane, isChosen, choose }: { lane: Lane; isChosen: boolean; choose: () => void }) {
  const name = lane.command === '' ? 'unknown command' : shown(lane.command);
  return (
    <li>
      <button type="button" aria-pressed={isChosen} onClick={choose}>
        <span class="who">
          {name} <span class="quiet">{lane.pid}</span>
        </span>
        <svg viewBox={`0 0 ${width} 20`} preserveAspectRatio="none" aria-hidden="true">
          <rect
            class="span"
            x={lane.first * (width - 6)}
            y={9}
            width={(lane.last - lane.first) * (width - 6) + 6}
            height={2}
          />
          {lane.marks.map(({ at, end }) => (
            <rect
              key={at}
              class="mark"
              x={at * (width - 6)}
              y={4}
              width={(end - at) * (width - 6) + 6}
              height={12}
              rx={2}
            />
          ))}
        </svg>
        <span class="count">{counted(lane.count, 'operation')}</span>
      </button>
    </li>
  );
}

function Pages({ count, from, route }: { count: number; from: number; route: Route }) {
  if (count <= pageLength) return null;
  const to = (next: number) => linkWith(route, { from: next === 0 ? undefined : String(next) });
  return (
    <p class="pages">
      {from > 0 && <a href={to(Math.max(0, from - pageLength))}>Earlier</a>}
      <span class="quiet">
        {numberText(from + 1)} to {numberText(Math.min(count, from + pageLength))} of {numberText(count)}
      </span>
      {from + pageLength < count && <a href={to(from + pageLength)}>Later</a>}
    </p>
  );
}
