import { useState } from 'preact/hooks';
import { apiPath, remove } from '../api/client.js';
import type { BaseData, ListedContainer } from '../api/documents.js';
import { startJob } from '../api/jobs.js';
import type { Job } from '../api/jobs.js';
import { refresh } from '../api/live.js';
import { session } from '../api/session.js';
import { useDocument } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { namesText, shown } from '../base/text.js';
import { go, linkTo } from '../base/route.js';
import { Action } from '../parts/action.js';
import { ActionForm } from '../parts/action-form.js';
import { BaseSelect } from '../parts/base-select.js';
import { CheckField, TextField } from '../parts/fields.js';
import { ReadOnlyPage, Shown } from '../parts/small.js';

export function CatchUpButton({ container: { name, behind, state } }: { container: ListedContainer }) {
  return (
    <Action
      title="Catch up"
      offered={state === 'behind'}
      start={() => startJob(apiPath(['containers', name, 'catch-up']), {})}
      done={refresh}
    >
      <p>
        Services {shown(name)} through the updates that it missed, in one transaction: {namesText(behind ?? [], 8)}.
        What it wrote itself is kept. It must not be mounted meanwhile.
      </p>
    </Action>
  );
}

export function RemoveButton({ container: { name, mountpoint } }: { container: ListedContainer }) {
  const start = async () => (await remove<{ job: Job }>(apiPath(['containers', name]))).job;
  return (
    <Action title="Remove container" danger start={start} done={() => go(linkTo(['containers']))}>
      <p>
        Removes {shown(name)} with all that was written in it. <strong>This cannot be undone.</strong> Its base and
        other containers stay as they are.
      </p>
      {mountpoint !== null && <p>It is mounted on {shown(mountpoint)}: unmount it first.</p>}
    </Action>
  );
}

export function MountButton({ container: { name, mountpoint, elsewhere } }: { container: ListedContainer }) {
  const [directory, setDirectory] = useState('');
  const [readOnly, setReadOnly] = useState(false);
  return (
    <Action
      title="Mount"
      offered={mountpoint === null && elsewhere === null}
      start={() => startJob(apiPath(['containers', name, 'mount']), { directory, readOnly })}
      done={refresh}
    >
      <div class="form">
        <TextField
          label="Directory on the server"
          value={directory}
          set={setDirectory}
          placeholder={`/root/${name}`}
          hint="An empty directory, by its absolute path; below one of mode 0700 no other user reaches the files"
        />
        <CheckField text="Read-only" checked={readOnly} set={setReadOnly} />
      </div>
    </Action>
  );
}

export function UnmountButton({ container: { name, mountpoint } }: { container: ListedContainer }) {
  return (
    <Action
      title="Unmount"
      offered={mountpoint !== null}
      start={() => startJob(apiPath(['containers', name, 'umount']), {})}
      done={refresh}
    >
      <p>
        Unmounts {shown(name)} from {shown(mountpoint ?? '')}. No program may use it any more.
      </p>
    </Action>
  );
}

/** Makes a container on a base. */
export function CreateView() {
  const bases = useDocument<{ bases: BaseData[] }>('/bases');
  const mayChange = useSignal(session)?.allowChanges === true;
  return (
    <main class="page">
      <p class="crumbs">
        <a href={linkTo(['containers'])}>Containers</a>
      </p>
      <h1>Create container</h1>
      {mayChange ? (
        <Shown of={bases} what="bases">
          {({ bases: all }) => <CreateForm bases={all} />}
        </Shown>
      ) : (
        <ReadOnlyPage />
      )}
    </main>
  );
}

function CreateForm({ bases }: { bases: readonly BaseData[] }) {
  const [name, setName] = useState('');
  const [base, setBase] = useState(bases[0]?.name ?? '');
  return (
    <ActionForm
      title="Create container"
      path={apiPath(['containers'])}
      body={() => ({ name, base })}
      done={() => go(linkTo(['containers', name]))}
    >
      <TextField label="Name" value={name} set={setName} required />
      <BaseSelect bases={bases} value={base} onSelect={setBase} />
      <p class="quiet">The container starts on the newest layer of its base, with an empty storage.</p>
    </ActionForm>
  );
}
