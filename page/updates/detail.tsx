import { apiPath } from '../api/client.js';
import type { PastShowData, UpdateShowData } from '../api/documents.js';
import { startJob } from '../api/jobs.js';
import { session } from '../api/session.js';
import { useDocument } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { shown, shownLines, sizeText } from '../base/text.js';
import { go, linkTo } from '../base/route.js';
import type { Route } from '../base/route.js';
import { Action } from '../parts/action.js';
import { Command, Facts, Shown, Tabs, Time, UpdateState } from '../parts/small.js';
import { countsOf } from './counts.js';
import { LayerChanges } from './layer-changes.js';
import { Operations } from './operations.js';
import { OutcomeBar } from './outcome-bar.js';
import { Outcomes } from './outcomes.js';
import { RollbackTab } from './rollback.js';

type Shown1 = UpdateShowData | PastShowData;

const isEnded = (update: Shown1): update is PastShowData => 'cause' in update;

/** One update, or one that ended. */
export function UpdateView({ route }: { route: Route }) {
  const [, name = '', tab = 'outcome'] = route.path;
  const loaded = useDocument<Shown1>(apiPath(['updates', name]));
  return (
    <main class="page wide">
      <p class="crumbs">
        <a href={linkTo(['updates'])}>Updates</a>
      </p>
      <h1>{shown(loaded.data?.name ?? name)}</h1>
      <Shown of={loaded} what="the update">
        {(update) => (
          <>
            {isEnded(update) ? (
              <EndedUpdate past={update} />
            ) : (
              <StandingUpdate update={update} tab={tab} route={route} />
            )}
            {/* Here, so that its dialog stays when the rollback has ended the update. */}
            {tab === 'rollback' && <RollbackTab update={update} />}
          </>
        )}
      </Shown>
    </main>
  );
}

function StandingUpdate({ update, tab, route }: { update: UpdateShowData; tab: string; route: Route }) {
  const mayChange = useSignal(session)?.allowChanges === true;
  const { name, base, state, description, version, created, reason, layer } = update;
  const tabs = [
    ['outcome', 'Outcome'],
    ['changes', 'What changed'],
    ['operations', 'Operations'],
    ...(state === 'committed' ? [['rollback', mayChange ? 'Roll back' : 'Rollback preview'] as const] : []),
  ] as const;
  return (
    <>
      {description !== null && <p class="lead">{shown(description)}</p>}
      <Facts
        facts={[
          ['State', <UpdateState state={state} />],
          ['Base', <a href={linkTo(['graph', base], { node: layer })}>{shown(base)}</a>],
          ['Containers', <OutcomeBar counts={countsOf(update.effects)} />],
          ['Changed the base by', sizeText(update)],
          ...(version === null ? [] : [['Makes version', shown(version)] as const]),
          ['Applied', <Time at={created} />],
        ]}
      />
      {reason !== null && <Reason text={reason} />}
      <Tabs
        label="Parts of the update"
        current={tab}
        tabs={tabs.map(([part, text]) => ({ name: part, text, address: linkTo(['updates', name, part]) }))}
      />
      {tab === 'outcome' && <Outcomes effects={update.effects} route={route} />}
      {tab === 'changes' && <LayerChanges update={update} route={route} />}
      {tab === 'operations' && <Operations name={name} effects={update.effects} route={route} />}
    </>
  );
}

/** Why an update ended: of a health check that failed with what it printed. */
function Reason({ text }: { text: string }) {
  const [first = '', ...rest] = text.split('\n');
  return (
    <section class="reason" aria-label="Why it ended">
      <p>
        <strong>{shown(first)}</strong>
      </p>
      {rest.length > 0 && (
        <pre class="output" tabIndex={0} aria-label="Output">
          {shownLines(rest.join('\n'))}
        </pre>
      )}
    </section>
  );
}

function EndedUpdate({ past }: { past: PastShowData }) {
  return (
    <>
      <Facts
        facts={[
          ['State', <UpdateState state={past.state} />],
          ['Base', shown(past.base)],
          ['Kind', past.procedure],
          ['Begun', <Time at={past.created} />],
          ['Ended', <Time at={past.ended} />],
          ['Id', <code>{past.id}</code>],
        ]}
      />
      <Reason text={past.reason} />
      {past.redo && <Redo past={past} />}
      {past.effects.length > 0 && <Outcomes effects={past.effects} route={undefined} />}
    </>
  );
}

function Redo({ past: { id, name, base } }: { past: PastShowData }) {
  const mayChange = useSignal(session)?.allowChanges === true;
  return (
    <section aria-label="Apply again">
      <p>Its procedure is kept, with the options that it had. The same on the machine:</p>
      <Command>{`lamina update redo ${id}`}</Command>
      {mayChange && (
        <div class="actions">
          <Action
            title="Apply again"
            start={() => startJob(apiPath(['updates', id, 'redo']), {})}
            done={() => go(linkTo(['updates']))}
          >
            <p>
              Applies {shown(name)} to the newest layer of base {shown(base)} and in all containers there. A rollback
              undoes it.
            </p>
          </Action>
        </div>
      )}
    </section>
  );
}
