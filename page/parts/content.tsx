/* What differs in one path: keys, lines, or the content as a whole. */
import type { DetailedChangeData } from '../api/documents.js';
import { bytesText, shown, shownLines } from '../base/text.js';
import { DataTable } from './small.js';

type Content = NonNullable<DetailedChangeData['content']>;

export function ChangedContent({ change }: { change: DetailedChangeData }) {
  const { attributes, content } = change;
  // Writing content changes its time.
  const listed = content === null ? attributes : attributes.filter((each) => !each.startsWith('mtime '));
  return (
    <>
      {listed.length > 0 && (
        <ul class="attributes">
          {listed.map((each) => (
            <li key={each}>{shown(each)}</li>
          ))}
        </ul>
      )}
      {content !== null && <ContentDiff content={content} />}
      {content === null && listed.length === 0 && (
        <p class="quiet">
          {change.change === 'delete'
            ? `This ${change.type} is deleted.`
            : `This ${change.type} has no content to compare.`}
        </p>
      )}
    </>
  );
}

function ContentDiff({ content }: { content: Content }) {
  if (content.kind === 'keys') return <Keys content={content} />;
  if (content.kind === 'text') return <Lines diff={content.diff} note={content.note} />;
  const { before, after, note } = content;
  const side = (file: typeof before) =>
    file === null ? 'none' : `${bytesText(file.size)}, ${file.hash.slice(0, 16)}…`;
  return (
    <p>
      {side(before)} <span aria-label="becomes">→</span> {side(after)}
      {note !== null && <span class="quiet"> ({shown(note)})</span>}
    </p>
  );
}

function Keys({ content }: { content: Extract<Content, { kind: 'keys' }> }) {
  return (
    <DataTable label="Changed keys" head={['Key', 'Before', 'After']}>
      {content.keys.map(({ key, before, after }) => (
        <tr key={key}>
          <th scope="row">
            <code>{shown(key)}</code>
          </th>
          {content.hidden ? (
            <td colSpan={2}>changed; its values are secret</td>
          ) : (
            <>
              <td>{before === null ? <span class="quiet">none</span> : <del>{shown(before)}</del>}</td>
              <td>{after === null ? <span class="quiet">none</span> : <ins>{shown(after)}</ins>}</td>
            </>
          )}
        </tr>
      ))}
    </DataTable>
  );
}

const mostLines = 2000;

function Lines({ diff, note }: { diff: string; note: string | null }) {
  const lines = diff.trimEnd().split('\n');
  const more = lines.length - mostLines;
  return (
    <>
      {note !== null && <p class="quiet">Shown by lines: {shown(note)}</p>}
      <pre class="diff" tabIndex={0} aria-label="Difference by lines">
        {lines.slice(0, mostLines).map((line, at) => (
          <span key={at} class={lineClass(line)}>
            {shownLines(line)}
            {'\n'}
          </span>
        ))}
      </pre>
      {more > 0 && <p class="quiet">{more} more lines; lamina diff shows all.</p>}
    </>
  );
}

function lineClass(line: string): string {
  if (line.startsWith('@@')) return 'hunk';
  return line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : '';
}
