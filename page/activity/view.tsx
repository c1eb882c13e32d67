import { apiPath } from '../api/client.js';
import { useDocument } from '../api/use-document.js';
import type { Job } from '../api/jobs.js';
import { counted, numberText, shown } from '../base/text.js';
import { linkTo } from '../base/route.js';
import type { Route } from '../base/route.js';
import { JobProgress, JobState } from '../parts/job-progress.js';
import { Badge, DataTable, Empty, Facts, Shown, Tabs, Time } from '../parts/small.js';
import { resultLines } from './result-lines.js';
import { endOf, useJob } from '../api/jobs.js';

/** Jobs, and the record of who did what. */
export function ActivityView({ route }: { route: Route }) {
  const tab = route.path[1] ?? 'jobs';
  if (tab !== 'jobs' && tab !== 'audit') return <JobView id={tab} />;
  return (
    <main class="page wide">
      <h1>Activity</h1>
      <Tabs
        label="Parts of the activity"
        current={tab}
        tabs={[
          { name: 'jobs', text: 'Jobs', address: linkTo(['activity']) },
          { name: 'audit', text: 'Audit log', address: linkTo(['activity', 'audit']) },
        ]}
      />
      {tab === 'jobs' ? <Jobs /> : <Audit />}
    </main>
  );
}

const requestText = (request: Readonly<Record<string, unknown>>): string =>
  Object.entries(request)
    .filter(([, value]) => value !== false && value !== undefined && value !== 'abort' && value !== true)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');

function Jobs() {
  const loaded = useDocument<{ jobs: Job[] }>('/jobs');
  return (
    <Shown of={loaded} what="jobs">
      {({ jobs }) =>
        jobs.length === 0 ? (
          <Empty title="No job yet">
            <p>
              Long operations that are started here, or by lamina --remote, are listed while they run and afterwards.
            </p>
          </Empty>
        ) : (
          <DataTable label="Jobs" head={['Job', 'State', 'Of', 'By', 'Started']}>
            {jobs.map(({ id, command, state, dryRun, request, by, started }) => (
              <tr key={id}>
                <th scope="row">
                  <a href={linkTo(['activity', id])}>
                    {shown(command)}
                    {dryRun && ' (dry run)'}
                  </a>
                </th>
                <td>
                  <JobState state={state} />
                </td>
                <td class="path">{shown(requestText(request))}</td>
                <td>{shown(by)}</td>
                <td>
                  <Time at={started} />
                </td>
              </tr>
            ))}
          </DataTable>
        )
      }
    </Shown>
  );
}

function JobView({ id }: { id: string }) {
  const { job } = useJob(id);
  const { result } = endOf(job);
  return (
    <main class="page">
      <p class="crumbs">
        <a href={linkTo(['activity'])}>Activity</a>
      </p>
      <h1>{job === undefined ? 'Job' : shown(job.command)}</h1>
      {job !== undefined && (
        <Facts
          facts={[
            ['Of', shown(requestText(job.request))],
            ['By', shown(job.by)],
            ['Started', <Time at={job.started} />],
            ...(job.ended === null ? [] : [['Ended', <Time at={job.ended} />] as const]),
          ]}
        />
      )}
      <JobProgress id={id} />
      {result !== undefined && (
        <ul class="result" aria-label="Result">
          {resultLines(result).map((line) => (
            <li key={line}>{shown(line)}</li>
          ))}
        </ul>
      )}
    </main>
  );
}

/** As GET /audit answers. */
interface AuditEntry {
  readonly id: string;
  readonly time: string;
  readonly by: string;
  readonly action: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly job: string | null;
  readonly outcome: string;
  readonly message: string | null;
}

const tones: Readonly<Record<string, 'good' | 'bad' | 'warn' | 'note'>> = {
  done: 'good',
  failed: 'bad',
  aborted: 'bad',
  refused: 'warn',
  cancelled: 'warn',
  running: 'note',
};

/** So many of the newest entries are shown. */
const mostEntries = 500;

function Audit() {
  const loaded = useDocument<{ entries: AuditEntry[]; total: number }>(apiPath(['audit'], { limit: `${mostEntries}` }));
  return (
    <Shown of={loaded} what="the audit log">
      {({ entries, total }) =>
        entries.length === 0 ? (
          <Empty title="Nobody has changed anything here">
            <p>Every action through this server is recorded: who, by which token, what, when, and the outcome.</p>
          </Empty>
        ) : (
          <>
            {total > entries.length && (
              <p class="quiet">
                The newest {numberText(entries.length)} of {counted(total, 'entry', 'entries')}.
              </p>
            )}
            <DataTable label="Audit log" head={['Time', 'Who', 'Action', 'Of', 'Outcome']}>
              {entries.map(({ id, time, by, action, request, job, outcome, message }) => (
                <tr key={id}>
                  <td>
                    <Time at={time} />
                  </td>
                  <td>{shown(by)}</td>
                  <td>
                    {job === null ? shown(action) : <a href={linkTo(['activity', job])}>{shown(action)}</a>}
                    {request['dryRun'] === true && ' (dry run)'}
                  </td>
                  <td class="path">{shown(requestText(request))}</td>
                  <td>
                    <Badge tone={tones[outcome] ?? 'note'}>{shown(outcome)}</Badge>
                    {message !== null && <span class="quiet block">{shown(message)}</span>}
                  </td>
                </tr>
              ))}
            </DataTable>
          </>
        )
      }
    </Shown>
  );
}
