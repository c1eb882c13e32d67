import { useState } from 'preact/hooks';
import { go, linkWith } from '../base/route.js';
import type { Route } from '../base/route.js';
import { shown } from '../base/text.js';
import { ExplainPath } from './explain.js';

/** Explains any path of a container's root. */
export function ExplainTab({ name, route }: { name: string; route: Route }) {
  const path = route.query.get('path') ?? '';
  const [typed, setTyped] = useState(path);
  const wanted = typed.startsWith('/') || typed === '' ? typed : `/${typed}`;
  return (
    <>
      <form
        class="line"
        onSubmit={(event) => {
          event.preventDefault();
          go(linkWith(route, { path: wanted }));
        }}
      >
        <label>
          <span>Path in the container</span>
          <input
            value={typed}
            required
            spellcheck={false}
            autocapitalize="off"
            placeholder="/etc/app.conf"
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <button type="submit">Explain</button>
      </form>
      {path === '' ? (
        <p class="quiet">Shows which node holds a path, which update and which command made it, and what it hides.</p>
      ) : (
        <section aria-label={`Path ${shown(path)}`}>
          <h2 class="path">{shown(path)}</h2>
          <ExplainPath container={name} path={path} />
        </section>
      )}
    </>
  );
}
