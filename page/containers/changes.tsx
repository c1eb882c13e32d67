import { apiPath } from '../api/client.js';
import type { DetailedChangeData } from '../api/documents.js';
import { useDocument, useList } from '../api/use-document.js';
import { bytesText, counted, shown } from '../base/text.js';
import { linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { ChangeTree } from '../parts/change-tree.js';
import { ChangedContent } from '../parts/content.js';
import { Empty, Shown } from '../parts/small.js';
import type { Change } from '../parts/tree.js';
import { ExplainPath } from './explain.js';

/** What a container changes in the layers that it depends on. */
export function ChangesTab({ name, route }: { name: string; route: Route }) {
  const loaded = useList<{ changes: Change[] }>(['containers', name, 'changes'], 'changes');
  return (
    <Shown of={loaded} what="changes">
      {({ changes }) => <Changes name={name} changes={changes} route={route} />}
    </Shown>
  );
}

function Changes({ name, changes, route }: { name: string; changes: readonly Change[]; route: Route }) {
  const chosen = route.query.get('path');
  if (changes.length === 0)
    return (
      <Empty title="No changes of its own">
        <p>Its root equals that of its base. Changes in the container will be listed here.</p>
      </Empty>
    );
  const bytes = changes.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  return (
    <>
      <p class="quiet">
        {counted(changes.length, 'change')}
        {bytes > 0 && `, ${bytesText(bytes)} of content`}: + added, ~ modified, − deleted
      </p>
      <div class="two">
        <ChangeTree
          label={`Changes of container ${shown(name)}`}
          changes={changes}
          chosen={chosen}
          choose={(path) => replace(linkWith(route, { path }))}
        />
        {chosen === undefined ? (
          <p class="quiet hint">Choose a path to see what differs, and where it comes from.</p>
        ) : (
          <section class="detail" aria-label={`Path ${shown(chosen)}`}>
            <h2 class="path">{shown(chosen)}</h2>
            <PathDiff name={name} path={chosen} />
            <h3>Where it comes from</h3>
            <ExplainPath container={name} path={chosen} />
          </section>
        )}
      </div>
    </>
  );
}

/** As GET /containers/NAME/diff answers. */
type DiffDocument = { change: DetailedChangeData | null } | { changes: DetailedChangeData[] };

function PathDiff({ name, path }: { name: string; path: string }) {
  const loaded = useDocument<DiffDocument>(apiPath(['containers', name, 'diff'], { path }));
  return (
    <Shown of={loaded} what="the differences">
      {(document) => {
        const changes = 'changes' in document ? document.changes : document.change === null ? [] : [document.change];
        const change = changes.find((each) => each.path === path);
        if (change === undefined) return <p class="quiet">It does not differ from the base.</p>;
        return <ChangedContent change={change} />;
      }}
    </Shown>
  );
}
