import { useState } from 'preact/hooks';
import { apiPath } from '../api/client.js';
import { session } from '../api/session.js';
import { useSignal } from '../base/signal.js';
import { go, linkTo } from '../base/route.js';
import { ActionForm } from '../parts/action-form.js';
import { CheckField, TextField } from '../parts/fields.js';
import { ReadOnlyPage } from '../parts/small.js';

/** Makes a base of a directory, a tar or an image. */
export function ImportView() {
  const mayChange = useSignal(session)?.allowChanges === true;
  return (
    <main class="page">
      <p class="crumbs">
        <a href={linkTo(['graph'])}>Graph</a>
      </p>
      <h1>Import base</h1>
      {mayChange ? <ImportForm /> : <ReadOnlyPage />}
    </main>
  );
}

function ImportForm() {
  const [name, setName] = useState('');
  const [source, setSource] = useState('');
  const [version, setVersion] = useState('');
  const [empty, setEmpty] = useState(false);
  return (
    <ActionForm
      title="Import base"
      path={apiPath(['bases'])}
      body={() => ({ name, source, empty, ...(version === '' ? {} : { contentVersion: version }) })}
      done={() => go(linkTo(['graph', name]))}
    >
      <TextField label="Name" value={name} set={setName} required />
      <TextField
        label="Source"
        value={source}
        set={setSource}
        required
        placeholder="/srv/roots/debian"
        hint="A directory or a tar on the server, by its absolute path; or an image, such as docker://debian:12"
      />
      <TextField
        label="Version of its content (optional)"
        value={version}
        set={setVersion}
        hint="For update packages that require one"
      />
      <CheckField text="Allow an empty source" checked={empty} set={setEmpty} />
    </ActionForm>
  );
}
