/* What is known of the box that was chosen. */
import type { GraphData } from '../api/documents.js';
import { counted, namesText, shown, sizeText } from '../base/text.js';
import { linkTo } from '../base/route.js';
import { Facts } from '../parts/small.js';
import { LongList } from '../parts/long-list.js';
import { mostApart } from './model.js';
import type { Box } from './model.js';
import { titleOf } from './words.js';

interface Props {
  readonly box: Box;
  readonly graph: GraphData;
  readonly toggle: (key: string) => void;
  readonly close: () => void;
}

export function Panel({ box, graph, toggle, close }: Props) {
  const { containers, opens, kind } = box;
  const isOne = kind === 'container' && containers.length === 1;
  return (
    <aside class="panel" aria-label="Selected">
      <header>
        <h2>{isOne ? `Container ${titleOf(box)}` : sentence(titleOf(box))}</h2>
        <button type="button" class="icon" aria-label="Close" onClick={close}>
          ✕
        </button>
      </header>
      <Facts facts={factsOf(box, graph)} />
      {isOne && (
        <p>
          <a class="button" href={linkTo(['containers', containers[0] ?? ''])}>
            Open container
          </a>
        </p>
      )}
      {opens !== null && (
        <p>
          <button type="button" onClick={() => toggle(opens)}>
            Unfold
          </button>
          {containers.length > mostApart && (
            <span class="quiet"> shows {mostApart} of them; search for a name to see another</span>
          )}
        </p>
      )}
      {containers.length > 1 && <Names names={containers} />}
    </aside>
  );
}

const sentence = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

const rowHeight = 34;

function Names({ names }: { names: readonly string[] }) {
  return (
    <>
      <h3>Containers</h3>
      <LongList
        label="Containers of this part of the graph"
        className="names"
        items={names}
        keyOf={(name) => name}
        rowHeight={rowHeight}
        row={(name) => (
          <span role="gridcell">
            <a href={linkTo(['containers', name])}>{shown(name)}</a>
          </span>
        )}
        open={(name) => (location.hash = linkTo(['containers', name]))}
      />
    </>
  );
}

function factsOf(box: Box, graph: GraphData) {
  const { nodes, update, kind, headOf, sealed } = box;
  const on = standingOn(box, graph);
  return [
    ...(update === null ? [] : [['Update', <a href={linkTo(['updates', update])}>{shown(update)}</a>] as const]),
    ...(kind === 'container' ? [] : [['Holds', sealed ? sizeText(box) : 'unknown, because it is writable'] as const]),
    ...(headOf.length === 0 ? [] : [['Newest layer of', namesText(headOf, 8)] as const]),
    ...(on.nodes === 0 && on.containers.length === 0
      ? [['Depends on it', 'nothing'] as const]
      : [
          [
            'Depends on it',
            [
              ...(on.nodes === 0 ? [] : [counted(on.nodes, 'node')]),
              ...(on.containers.length === 0
                ? []
                : [`${counted(on.containers.length, 'container')}: ${namesText(on.containers, 5)}`]),
            ].join('; '),
          ] as const,
        ]),
    ...(nodes.length === 1 ? [['Id', <code>{nodes[0]}</code>] as const] : []),
  ];
}

/** All nodes that need a box, however far above it, and the containers whose roots show it. */
function standingOn(box: Box, graph: GraphData) {
  if (box.kind === 'container') return { nodes: 0, containers: [] };
  const children = new Map<string, string[]>();
  for (const { from, to } of graph.edges) {
    const known = children.get(to);
    if (known === undefined) children.set(to, [from]);
    else known.push(from);
  }
  const found = new Set(box.nodes);
  for (const id of found) for (const child of children.get(id) ?? []) found.add(child);
  const containers = graph.containers.filter(({ storage, layer }) => found.has(storage) || found.has(layer));
  return { nodes: found.size - box.nodes.length, containers: containers.map(({ name }) => name) };
}
