/* The frame around all views. */
import { useEffect } from 'preact/hooks';
import { ActivityView } from './activity/view.js';
import { logOut } from './api/client.js';
import { connection, follow, refresh } from './api/live.js';
import { needsToken, session, setSession } from './api/session.js';
import type { StoreDocument } from './api/session.js';
import { forgetAll, useDocument } from './api/use-document.js';
import { useSignal } from './base/signal.js';
import { shown } from './base/text.js';
import { linkTo, useRoute } from './base/route.js';
import type { Route } from './base/route.js';
import { ContainersView } from './containers/list.js';
import { CreateView } from './containers/actions.js';
import { ContainerView } from './containers/detail.js';
import { FleetView } from './fleet/view.js';
import { ImportView } from './graph/import-view.js';
import { GraphView } from './graph/view.js';
import { Login } from './login.js';
import { Badge, Empty } from './parts/small.js';
import { ApplyView } from './updates/apply.js';
import { DisplacedView } from './updates/displaced.js';
import { MergeView } from './updates/merge.js';
import { UpdateView } from './updates/detail.js';
import { UpdatesView } from './updates/list.js';

const views = [
  ['graph', 'Graph'],
  ['containers', 'Containers'],
  ['updates', 'Updates'],
  ['fleet', 'Fleet'],
  ['activity', 'Activity'],
] as const;

export function App() {
  const isLocked = useSignal(needsToken);
  return isLocked ? <Login /> : <Frame />;
}

function Frame() {
  const route = useRoute();
  const store = useDocument<StoreDocument>('/store');
  useEffect(() => {
    if (store.data !== undefined) setSession(store.data);
  }, [store.data]);
  useEffect(follow, []);
  const [view = 'graph', name] = route.path;
  useEffect(() => {
    document.title = `${shown(name ?? views.find(([key]) => key === view)?.[1] ?? 'Lamina')} · Lamina`;
  }, [view, name]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.querySelector<HTMLElement>('#main')?.focus();
        }}
      >
        Skip to content
      </a>
      <Header view={view} />
      <div id="main" tabIndex={-1}>
        <View view={view} route={route} />
      </div>
    </>
  );
}

/** Views that belong to another one in the navigation. */
const parents: Readonly<Record<string, string>> = {
  create: 'containers',
  apply: 'updates',
  displaced: 'updates',
  merge: 'graph',
  import: 'graph',
};

function Header({ view }: { view: string }) {
  const current = parents[view] ?? view;
  const store = useSignal(session);
  return (
    <header class="top">
      <a class="mark" href={linkTo(['graph'])}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M12 3 3 7.5 12 12l9-4.5z" />
          <path class="second" d="m3 12 9 4.5 9-4.5" />
          <path class="third" d="m3 16.5 9 4.5 9-4.5" />
        </svg>
        Lamina
      </a>
      <nav aria-label="Views">
        {views.map(([key, text]) => (
          <a key={key} href={linkTo([key])} {...(key === current ? { 'aria-current': 'page' as const } : {})}>
            {text}
          </a>
        ))}
      </nav>
      <div class="about">
        {store !== undefined && (
          <>
            <span class="store" title={shown(store.store)}>
              {shown(store.store)}
            </span>
            {!store.allowChanges && <Badge>read-only</Badge>}
          </>
        )}
        <Connection />
        {typeof store?.token === 'string' && <LogOut token={store.token} />}
      </div>
    </header>
  );
}

function LogOut({ token }: { token: string }) {
  const leave = () => {
    logOut()
      .then(() => {
        forgetAll();
        needsToken.set(true);
      })
      // What is wrong with the server, the views say.
      .catch(refresh);
  };
  return (
    <button type="button" class="plain" title={`Logged in with token ${shown(token)}`} onClick={leave}>
      Log out
    </button>
  );
}

function Connection() {
  const state = useSignal(connection);
  const texts = { connecting: 'connecting…', live: 'live', lost: 'connection lost, trying again' };
  return (
    <span role="status">
      <Badge tone={state === 'live' ? 'good' : state === 'lost' ? 'bad' : 'note'}>{texts[state]}</Badge>
    </span>
  );
}

function View({ view, route }: { view: string; route: Route }) {
  switch (view) {
    case 'graph':
      return <GraphView route={route} />;
    case 'containers':
      return route.path.length > 1 ? (
        <ContainerView key={route.path[1]} route={route} />
      ) : (
        <ContainersView route={route} />
      );
    case 'create':
      return <CreateView />;
    case 'updates':
      return route.path.length > 1 ? <UpdateView key={route.path[1]} route={route} /> : <UpdatesView />;
    case 'apply':
      return <ApplyView route={route} />;
    case 'displaced':
      return <DisplacedView />;
    case 'merge':
      return <MergeView route={route} />;
    case 'import':
      return <ImportView />;
    case 'fleet':
      return <FleetView route={route} />;
    case 'activity':
      return <ActivityView route={route} />;
    default:
      return (
        <main class="page">
          <h1>No such view</h1>
          <Empty title={shown(view)}>
            <p>
              <a href={linkTo(['graph'])}>Go to the graph</a>
            </p>
          </Empty>
        </main>
      );
  }
}
