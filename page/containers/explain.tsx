/* Where a path of a container comes from, in the words of `lamina explain`. */
import { apiPath } from '../api/client.js';
import type { ExplainData } from '../api/documents.js';
import { useDocument } from '../api/use-document.js';
import { shown } from '../base/text.js';
import { linkTo } from '../base/route.js';
import { OperationsTable } from '../parts/operations-table.js';
import { Shown } from '../parts/small.js';

export function ExplainPath({ container, path }: { container: string; path: string }) {
  const loaded = useDocument<ExplainData>(apiPath(['containers', container, 'explain'], { path }));
  return (
    <Shown of={loaded} what="the origin">
      {(data) => <Explained data={data} />}
    </Shown>
  );
}

function Explained({ data }: { data: ExplainData }) {
  const { origin, content, merged, hides } = data;
  return (
    <div class="explained">
      <ul class="origins">
        <li>
          <strong>
            <OriginText of={origin} />
          </strong>
        </li>
        {content !== null && (
          <li>
            its content is that of the <OriginText of={content} />
          </li>
        )}
        {merged.map((each) => (
          <li key={each.node}>
            merged with the <OriginText of={each} />
          </li>
        ))}
        {hides.map((each) => (
          <li key={each.node}>
            hides the <OriginText of={each} />
          </li>
        ))}
      </ul>
      <Provenance data={data} />
    </div>
  );
}

const hidingTexts = { whiteout: 'whiteout of', opaque: 'opaque directory', replaced: 'other' };

function OriginText({ of: { type, kind, node, update, folded, path, hiding } }: { of: ExplainData['origin'] }) {
  return (
    <>
      {hiding === null ? type : `${hidingTexts[hiding.by]} ${shown(hiding.at)}`} in {kind.replace('-', ' ')}{' '}
      <code>{node}</code>
      {update !== null && (
        <>
          {' '}
          of update <a href={linkTo(['updates', update])}>{shown(update)}</a>
        </>
      )}
      {path !== null && `, there as ${shown(path)}`}
      {folded.length > 0 &&
        `, from one of these updates, which were merged without a record of the origin of each path: ${folded.map(shown).join(', ')}`}
    </>
  );
}

const whyUnknown = {
  gone: 'its journal is gone',
  unrecorded: "it ran in the container on the kernel's engine, which records nothing",
  kept: 'an update from a layer runs no commands, so its journal is empty',
};

function Provenance({ data: { origin, operations, run, journal, before } }: { data: ExplainData }) {
  if (operations.length === 0) {
    if (origin.update === null || origin.type === 'directory' || journal === null) return null;
    return (
      <p>
        The command of update {shown(origin.update)} that made it is unknown: {whyUnknown[journal]}.
      </p>
    );
  }
  const kept = run === 'base' && origin.kind === 'delta-storage';
  return (
    <>
      {kept && (
        <p>
          The update keeps the container&apos;s version: the procedure changed this path on the base, with the
          operations below, but not in the container.
        </p>
      )}
      {before !== null && <p>Before the update it was {shown(before)}.</p>}
      <OperationsTable label="Commands that made it" operations={operations} />
    </>
  );
}
