import { useMemo } from 'preact/hooks';
import { apiPath } from '../api/client.js';
import type { BaseData, GraphData } from '../api/documents.js';
import { session } from '../api/session.js';
import { useDocument } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { shown } from '../base/text.js';
import { go, linkTo, linkWith, parseRoute, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { Command, Empty, Shown } from '../parts/small.js';
import { cameraText, parseCamera } from './camera.js';
import type { Camera } from './camera.js';
import { Drawing } from './drawing.js';
import { huesOf } from './hues.js';
import { layoutOf } from './layout.js';
import { pictureOf } from './model.js';
import type { Box } from './model.js';
import { Panel } from './panel.js';
import { PlanBar, usePlan } from './plan-bar.js';
import { Toolbar } from './toolbar.js';

/** The layers, storages and updates of one base. */
export function GraphView({ route }: { route: Route }) {
  const loaded = useDocument<{ bases: BaseData[] }>('/bases');
  const bases = loaded.data?.bases;
  // A base that the address names need not wait for the list of all.
  const base = route.path[1] ?? bases?.[0]?.name;
  if (base !== undefined) return <BaseGraph key={base} base={base} bases={bases ?? []} route={route} />;
  return (
    <Shown of={loaded} what="bases">
      {() => <NoBase />}
    </Shown>
  );
}

function NoBase() {
  const mayChange = useSignal(session)?.allowChanges === true;
  return (
    <main class="page">
      <h1>Graph</h1>
      <Empty title="There is no base yet">
        <p>A base is the read-only root that containers share. To make one of a directory, a tar or an image:</p>
        <Command>lamina base import debian docker://docker.io/library/debian:12</Command>
        {mayChange && (
          <p>
            <a class="button primary" href={linkTo(['import'])}>
              Import base
            </a>
          </p>
        )}
      </Empty>
    </main>
  );
}

interface Props {
  readonly base: string;
  readonly bases: readonly BaseData[];
  readonly route: Route;
}

function BaseGraph({ base, bases, route }: Props) {
  const loaded = useDocument<{ graph: GraphData }>(apiPath(['graph'], { base }));
  const here = { path: ['graph', base], query: route.query };
  const plan = usePlan(base, route.query.get('plan'));
  return (
    <main class="graph">
      <h1 class="unseen">Graph of base {shown(base)}</h1>
      <Toolbar base={base} bases={bases} graph={loaded.data?.graph} route={here} />
      <PlanBar plan={plan} route={here} />
      <Shown of={loaded} what="the graph">
        {({ graph }) => <GraphCanvas graph={graph} route={here} plan={plan} />}
      </Shown>
    </main>
  );
}

interface CanvasProps {
  readonly graph: GraphData;
  readonly route: Route;
  readonly plan: ReturnType<typeof usePlan>;
}

function GraphCanvas({ graph, route, plan }: CanvasProps) {
  const { query } = route;
  const [openText, search, selected] = [query.get('open') ?? '', query.get('find') ?? '', query.get('node')];
  const planned = useMemo(() => plan?.planned?.(graph), [graph, plan?.planned]);
  const isAfter = planned !== undefined && query.get('show') === 'after';
  const drawn = isAfter ? planned.after : graph;
  const picture = useMemo(() => pictureOf(drawn, wishesOf(drawn, openText, search)), [drawn, openText, search]);
  const layout = useMemo(() => layoutOf(picture), [picture]);
  const hueOf = useMemo(() => huesOf(graph), [graph]);
  const markOf = (box: Box) => {
    if (box.nodes.some((id) => planned?.going.has(id) === true && !isAfter)) return 'goes' as const;
    return box.nodes.some((id) => planned?.coming.has(id) === true && isAfter) ? ('new' as const) : undefined;
  };
  const chosen = picture.boxes.find(({ id }) => id === selected);
  const toggle = (key: string) => {
    const open = new Set(openText.split(',').filter((part) => part !== ''));
    if (!open.delete(key)) open.add(key);
    go(linkWith(route, { open: [...open].join(','), view: undefined, node: undefined }));
  };
  const choose = (box: Box) => {
    if (box.opens !== null && box.kind !== 'container' && selected !== box.id) go(linkWith(route, { node: box.id }));
    else if (box.opens !== null) toggle(box.opens);
    else go(linkWith(route, { node: selected === box.id ? undefined : box.id }));
  };
  const settled = (camera: Camera) => {
    const now = parseRoute(location.hash);
    if ((now.path[0] ?? 'graph') === 'graph')
      replace(linkWith({ ...route, query: now.query }, { view: cameraText(camera) }));
  };
  return (
    <div class="canvas">
      <Drawing
        key={`${openText} ${String(isAfter)}`}
        {...{ layout, selected, search, hueOf, markOf, choose, settled }}
        first={parseCamera(query.get('view'))}
      />
      {chosen !== undefined && (
        <Panel box={chosen} graph={drawn} toggle={toggle} close={() => go(linkWith(route, { node: undefined }))} />
      )}
      {graph.containers.length === 0 && <NoContainer base={graph.bases[0]?.name ?? 'BASE'} />}
    </div>
  );
}

function NoContainer({ base }: { base: string }) {
  return (
    <div class="note">
      <p>No container depends on this base yet. To create one:</p>
      <Command>{`lamina create NAME --base ${base}`}</Command>
      <p>
        <a href={linkTo(['containers'], { base })}>Containers</a>
      </p>
    </div>
  );
}

const mostSingle = 12;

/** Containers that a search finds are drawn by themselves. */
function wishesOf(graph: GraphData, open: string, search: string) {
  const wanted = search.toLowerCase();
  const found = wanted === '' ? [] : graph.containers.filter(({ name }) => name.toLowerCase().includes(wanted));
  return { open: new Set(open.split(',')), single: new Set(found.slice(0, mostSingle).map(({ name }) => name)) };
}
