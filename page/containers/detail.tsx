import { apiPath } from '../api/client.js';
import type { OneData } from '../api/documents.js';
import { session } from '../api/session.js';
import { useDocument } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { namesText, shown } from '../base/text.js';
import { linkTo } from '../base/route.js';
import type { Route } from '../base/route.js';
import { Facts, Shown, Tabs, Time } from '../parts/small.js';
import { CatchUpButton, MountButton, RemoveButton, UnmountButton } from './actions.js';
import { Chain } from './chain.js';
import { ChangesTab } from './changes.js';
import { ExplainTab } from './explain-tab.js';
import { Processes } from './processes.js';
import { Place, Standing } from './state.js';

const tabs = [
  ['chain', 'Chain'],
  ['changes', 'Own changes'],
  ['explain', 'Explain'],
  ['processes', 'Processes'],
] as const;

/** One container. */
export function ContainerView({ route }: { route: Route }) {
  const [, name = '', tab = 'chain'] = route.path;
  const loaded = useDocument<OneData>(apiPath(['containers', name]));
  return (
    <main class="page wide">
      <p class="crumbs">
        <a href={linkTo(['containers'])}>Containers</a>
      </p>
      <h1>{shown(name)}</h1>
      <Shown of={loaded} what="the container">
        {(data) => (
          <>
            <Head data={data} />
            <Tabs
              label="Parts of the container"
              current={tab}
              tabs={tabs.map(([part, text]) => ({ name: part, text, address: linkTo(['containers', name, part]) }))}
            />
            {tab === 'chain' && <Chain data={data} />}
            {tab === 'changes' && <ChangesTab name={name} route={route} />}
            {tab === 'explain' && <ExplainTab name={name} route={route} />}
            {tab === 'processes' && <Processes name={name} />}
          </>
        )}
      </Shown>
    </main>
  );
}

function Head({ data: { container } }: { data: OneData }) {
  const mayChange = useSignal(session)?.allowChanges === true;
  const { name, base, layer, behind, created } = container;
  return (
    <>
      <Facts
        facts={[
          ['State', <Standing container={container} />],
          ['Base', <a href={linkTo(['graph', base], { find: name, node: `container ${name}` })}>{shown(base)}</a>],
          ['Mounted on', <Place container={container} />],
          ['Layer', <code>{layer}</code>],
          ...(behind === null || behind.length === 0 ? [] : [['Missed updates', namesText(behind, 8)] as const]),
          ['Created', <Time at={created} />],
        ]}
      />
      {mayChange && (
        <div class="actions">
          <CatchUpButton container={container} />
          <MountButton container={container} />
          <UnmountButton container={container} />
          <RemoveButton container={container} />
        </div>
      )}
    </>
  );
}
