import type { OneData } from '../api/documents.js';
import { shown, sizeText } from '../base/text.js';
import { linkTo } from '../base/route.js';

/** The storages of a container, the newest on top, down to the layer that they depend on. */
export function Chain({ data: { container, storages } }: { data: OneData }) {
  return (
    <ol class="chain" aria-label="Storages, newest first">
      {storages.map(({ id, kind, update, sealed, entries, bytes }) => (
        <li key={id} class={kind}>
          <span class="kind">{kind === 'storage' ? 'Storage' : 'Delta storage'}</span>
          <span>{sealed ? sizeText({ entries, bytes }) : 'writable: receives the changes of the container'}</span>
          {update !== null && (
            <span>
              by update <a href={linkTo(['updates', update])}>{shown(update)}</a>
            </span>
          )}
          <code>{id}</code>
        </li>
      ))}
      <li class="layers">
        <span class="kind">Layers of base {shown(container.base)}</span>
        <span>shared, read-only</span>
        <a href={linkTo(['graph', container.base], { node: container.layer })}>in the graph</a>
        <code>{container.layer}</code>
      </li>
    </ol>
  );
}
