import { apiPath } from '../api/client.js';
import { useDocument } from '../api/use-document.js';
import { bytesText, shownLines } from '../base/text.js';
import { Shown } from '../parts/small.js';

/** As GET /updates/NAME/output answers. */
interface OutputDocument {
  readonly output: string;
  readonly bytes: number;
  readonly ran: boolean;
}

/** What the procedure of an update printed. @param container empty: on the base */
export function RunOutput({ name, container }: { name: string; container: string }) {
  const loaded = useDocument<OutputDocument>(apiPath(['updates', name, 'output'], { container }));
  return (
    <Shown of={loaded} what="the output">
      {({ output, bytes, ran }) =>
        ran && (
          <details>
            <summary>{bytes === 0 ? 'It printed nothing' : `Output, ${bytesText(bytes)}`}</summary>
            {output !== '' && (
              <pre class="output" tabIndex={0} aria-label="Output">
                {shownLines(output)}
              </pre>
            )}
            {bytes > longest && <p class="quiet">Only the end is shown.</p>}
          </details>
        )
      }
    </Shown>
  );
}

/** As much as the server answers. Bytes. */
const longest = 256 << 10;
