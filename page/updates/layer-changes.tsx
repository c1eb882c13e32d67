import { apiPath } from '../api/client.js';
import type { DetailedChangeData, UpdateShowData } from '../api/documents.js';
import { useDocument, useList } from '../api/use-document.js';
import { bytesText, counted, shown } from '../base/text.js';
import { linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { ChangeTree } from '../parts/change-tree.js';
import { ChangedContent } from '../parts/content.js';
import { Empty, Shown } from '../parts/small.js';
import type { Change } from '../parts/tree.js';

/** What an update changed: on the base by its delta layer, in a container by its delta storage. */
export function LayerChanges({ update, route }: { update: UpdateShowData; route: Route }) {
  const storages = update.effects.filter(({ storage }) => storage !== null);
  const node = route.query.get('in') ?? update.layer;
  const known = node === update.layer || storages.some(({ storage }) => storage === node) ? node : update.layer;
  return (
    <>
      <form class="filters">
        <label>
          <span>Changes</span>
          <select
            value={known}
            onChange={(event) => replace(linkWith(route, { in: event.currentTarget.value, path: undefined }))}
          >
            <option value={update.layer}>of the base, by the delta layer</option>
            {storages.map(({ container, storage }) => (
              <option key={container} value={storage ?? ''}>
                of container {shown(container)}, by its delta storage
              </option>
            ))}
          </select>
        </label>
      </form>
      <NodeChanges key={known} node={known} route={route} />
    </>
  );
}

function NodeChanges({ node, route }: { node: string; route: Route }) {
  const loaded = useList<{ changes: Change[] }>(['nodes', node, 'changes'], 'changes');
  const chosen = route.query.get('path');
  return (
    <Shown of={loaded} what="changes">
      {({ changes }) =>
        changes.length === 0 ? (
          <Empty title="No changes here">
            <p>The roots look the same before and after.</p>
          </Empty>
        ) : (
          <>
            <p class="quiet">
              {counted(changes.length, 'change')},{' '}
              {bytesText(changes.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0))} of content: + added, ~ modified, −
              deleted
            </p>
            <div class="two">
              <ChangeTree
                label="Changes"
                changes={changes}
                chosen={chosen}
                choose={(path) => replace(linkWith(route, { path }))}
              />
              {chosen === undefined ? (
                <p class="quiet hint">Choose a path to see what differs.</p>
              ) : (
                <section class="detail" aria-label={`Path ${shown(chosen)}`}>
                  <h2 class="path">{shown(chosen)}</h2>
                  <NodeDiff node={node} path={chosen} />
                </section>
              )}
            </div>
          </>
        )
      }
    </Shown>
  );
}

function NodeDiff({ node, path }: { node: string; path: string }) {
  const loaded = useDocument<{ change: DetailedChangeData | null }>(apiPath(['nodes', node, 'diff'], { path }));
  return (
    <Shown of={loaded} what="the differences">
      {({ change }) =>
        change === null ? <p class="quiet">Nothing differs there.</p> : <ChangedContent change={change} />
      }
    </Shown>
  );
}
