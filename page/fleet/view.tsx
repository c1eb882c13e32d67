import { useEffect } from 'preact/hooks';
import { refresh } from '../api/live.js';
import { useDocument } from '../api/use-document.js';
import { counted, namesText, numberText, shown, timeText } from '../base/text.js';
import type { Route } from '../base/route.js';
import { Badge, Command, DataTable, Empty, Facts, Shown, Time } from '../parts/small.js';
import type { FleetDocument, FleetUpdate } from './documents.js';
import { MachineView } from './machine.js';
import { Machines } from './machines.js';

/** Machines send their reports to the channel, of which the server hears nothing. Milliseconds. */
const pause = 15_000;

/** The machines of the channel that is published from the server. */
export function FleetView({ route }: { route: Route }) {
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) refresh();
    }, pause);
    return () => clearInterval(timer);
  }, []);
  const machine = route.path[1];
  return machine === undefined ? <Fleet route={route} /> : <MachineView key={machine} machine={machine} />;
}

function Fleet({ route }: { route: Route }) {
  const loaded = useDocument<FleetDocument>('/fleet');
  if (loaded.problem?.code === 'NO_CHANNEL') return <NoChannel />;
  return (
    <main class="page wide">
      <h1>Fleet</h1>
      <Shown of={loaded} what="the fleet">
        {(fleet) => (
          <>
            <Head fleet={fleet} />
            <Updates updates={fleet.updates} />
            <Machines route={route} />
          </>
        )}
      </Shown>
    </main>
  );
}

function NoChannel() {
  return (
    <main class="page wide">
      <h1>Fleet</h1>
      <Empty title="No channel is published from here">
        <p>
          A channel gives updates to machines that follow it. To see here which machines have which updates, name its
          directory when you start the server:
        </p>
        <Command>lamina serve --channel ./channel</Command>
      </Empty>
    </main>
  );
}

function Head({ fleet }: { fleet: FleetDocument }) {
  const { channel, base, version, expires, machines } = fleet;
  const { enrolled, reporting, silent, strangers, refused } = machines;
  return (
    <>
      <Facts
        facts={[
          ['Channel', shown(channel)],
          ['Base', base === null ? 'none yet' : shown(base)],
          ['Version', numberText(version)],
          ['Valid until', timeText(expires)],
          ['Machines', `${counted(enrolled, 'machine')} enrolled, ${numberText(reporting)} of them have reported`],
        ]}
      />
      {(silent.length > 0 || strangers.count > 0 || refused.count > 0) && (
        <ul class="special">
          {silent.length > 0 && (
            <li>
              <Badge tone="warn">No report</Badge> of {namesText(silent, 5)}
            </li>
          )}
          {strangers.count > 0 && (
            <li>
              <Badge tone="warn">Not enrolled</Badge> {counted(strangers.count, 'machine')} that{' '}
              {strangers.count === 1 ? 'reports' : 'report'}: {namesText(strangers.first.map(({ host }) => host))}. To
              accept the reports of one: <code>lamina channel enroll {shown(channel)} KEY</code>
            </li>
          )}
          {refused.count > 0 && (
            <li>
              <Badge tone="bad">Refused</Badge> {counted(refused.count, 'report')}:{' '}
              {refused.first
                .slice(0, 3)
                .map(({ path, reason }) => `${shown(path)}: ${shown(reason)}`)
                .join('; ')}
            </li>
          )}
        </ul>
      )}
    </>
  );
}

function offeredText({ group, percent, withdrawn }: FleetUpdate): string {
  if (withdrawn) return 'withdrawn';
  if (group === null || percent >= 100) return `${percent}%`;
  return percent === 0 ? shown(group) : `${shown(group)}, ${percent}%`;
}

function Updates({ updates }: { updates: readonly FleetUpdate[] }) {
  if (updates.length === 0)
    return (
      <Empty title="The channel has no update yet">
        <Command>lamina channel publish ./channel ./upgrade.tar --base debian</Command>
      </Empty>
    );
  return (
    <>
      <h2>Updates</h2>
      <DataTable
        label="Updates of the channel"
        head={['Update', 'Offered to', 'Machines', 'Done', 'Failed', 'Waiting', 'Rolled back', 'Published']}
      >
        {updates.map((each) => (
          <tr key={each.sequence}>
            <th scope="row">{shown(each.name)}</th>
            <td>{each.withdrawn ? <Badge tone="warn">withdrawn</Badge> : offeredText(each)}</td>
            <td class="number">{numberText(each.offered)}</td>
            <td class="number">{numberText(each.done)}</td>
            <td class="number">
              {each.failed === 0 ? '0' : <Badge tone="bad">{numberText(each.failed)}</Badge>}
              {each.failures[0] !== undefined && (
                <span class="quiet block">
                  {shown(each.failures[0].host)}: {shown(each.failures[0].message.split('\n')[0] ?? '')}
                </span>
              )}
            </td>
            <td class="number">{numberText(each.waiting)}</td>
            <td class="number">{numberText(each.rolledBack)}</td>
            <td>
              <Time at={each.publishedAt} />
            </td>
          </tr>
        ))}
      </DataTable>
    </>
  );
}
