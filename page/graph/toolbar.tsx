/* Above the drawing: which base, what is looked for, and what would change. */
import type { BaseData, GraphData } from '../api/documents.js';
import { session } from '../api/session.js';
import { useSignal } from '../base/signal.js';
import { shown } from '../base/text.js';
import { go, linkTo, linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { BaseSelect } from '../parts/base-select.js';
import { chainOf, nodesOf } from './columns.js';

interface Props {
  readonly base: string;
  readonly bases: readonly BaseData[];
  readonly graph: GraphData | undefined;
  readonly route: Route;
}

export function Toolbar({ base, bases, graph, route }: Props) {
  const mayChange = useSignal(session)?.allowChanges === true;
  return (
    <div class="toolbar">
      <BaseSelect bases={bases} value={base} onSelect={(name) => go(linkTo(['graph', name]))} />
      <label>
        <span>Search</span>
        <input
          type="search"
          placeholder="container, update or id"
          value={route.query.get('find') ?? ''}
          onInput={(event) => replace(linkWith(route, { find: event.currentTarget.value }))}
        />
      </label>
      <PlanChoice updates={graph === undefined ? [] : updatesOn(graph, base)} route={route} />
      {mayChange && (
        <a class="button" href={linkTo(['import'])}>
          Import base
        </a>
      )}
      <Legend />
    </div>
  );
}

/** The updates whose layers a base depends on, newest first. */
function updatesOn(graph: GraphData, base: string): string[] {
  const head = graph.bases.find(({ name }) => name === base)?.head ?? '';
  const nodes = nodesOf(graph);
  return chainOf(nodes, head)
    .reverse()
    .flatMap((id) => nodes.get(id)?.update ?? []);
}

function PlanChoice({ updates, route }: { updates: readonly string[]; route: Route }) {
  return (
    <label>
      <span>Show what would change by</span>
      <select
        value={route.query.get('plan') ?? ''}
        onChange={(event) => go(linkWith(route, { plan: event.currentTarget.value, show: undefined, node: undefined }))}
      >
        <option value="">nothing</option>
        <option value="merge">a merge</option>
        {updates.map((name) => (
          <option key={name} value={`rollback:${name}`}>
            rollback of {shown(name)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      <li class="key layer">layer</li>
      <li class="key storage">storage</li>
      <li class="key update">of an update</li>
      <li class="key stack">several, folded</li>
    </ul>
  );
}
