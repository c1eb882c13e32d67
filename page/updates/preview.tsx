import { useMemo } from 'preact/hooks';
import type { DetailedChangeData, PreviewData } from '../api/documents.js';
import { bytesText, counted, namesText, shown } from '../base/text.js';
import { ChangedContent } from '../parts/content.js';
import { Outcome } from '../parts/small.js';
import { alike } from './alike.js';
import { countsOf } from './counts.js';
import { OutcomeBar } from './outcome-bar.js';

/** What an update would change: on the base, and in containers; those with the same changes are one. */
export function Preview({ preview: { base, containers } }: { preview: PreviewData }) {
  const groups = useMemo(() => alike(base, containers), [base, containers]);
  return (
    <>
      <OutcomeBar counts={countsOf(containers)} />
      {groups.map(({ title, names, outcome, changes, bytes }) => (
        <details key={title} class="group" open={groups.length < 4 && changes.length < 30}>
          <summary>
            <strong>{shown(title)}</strong> {outcome !== undefined && <Outcome outcome={outcome} />}{' '}
            <span class="quiet">
              {counted(changes.length, 'change')}, {bytesText(bytes)}
            </span>
          </summary>
          {names.length > 1 && <p class="quiet">{namesText(names, 20)}</p>}
          <Changes changes={changes} />
        </details>
      ))}
    </>
  );
}

const mostChanges = 300;
const signs: Readonly<Record<string, string>> = { add: '+', modify: '~', delete: '−' };

function Changes({ changes }: { changes: readonly DetailedChangeData[] }) {
  return (
    <ul class="changes">
      {changes.slice(0, mostChanges).map((change) => (
        <li key={change.path}>
          <p>
            <span class={`sign ${change.change}`} aria-hidden="true">
              {signs[change.change]}
            </span>{' '}
            <code>{shown(change.path)}</code>{' '}
            <span class="quiet">
              {change.change}, {change.type}
            </span>
          </p>
          {(change.content !== null || change.attributes.length > 0) && <ChangedContent change={change} />}
        </li>
      ))}
      {changes.length > mostChanges && (
        <li class="quiet">
          and {counted(changes.length - mostChanges, 'more change')}; lamina update apply --dry-run --verbose lists all
        </li>
      )}
    </ul>
  );
}
