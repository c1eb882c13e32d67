import type { DisplacedData } from '../api/documents.js';
import { useDocument } from '../api/use-document.js';
import { bytesText, shown } from '../base/text.js';
import { linkTo } from '../base/route.js';
import { Command, DataTable, Empty, Shown, Time } from '../parts/small.js';

/** What rollbacks could not keep in place. */
export function DisplacedView() {
  const loaded = useDocument<{ displaced: DisplacedData[] }>('/displaced');
  return (
    <main class="page wide">
      <p class="crumbs">
        <a href={linkTo(['updates'])}>Updates</a>
      </p>
      <h1>Displaced content</h1>
      <Shown of={loaded} what="displaced content">
        {({ displaced }) => (displaced.length === 0 ? <Nothing /> : <Table displaced={displaced} />)}
      </Shown>
    </main>
  );
}

function Nothing() {
  return (
    <Empty title="Nothing is displaced">
      <p>A rollback lists here what users wrote since the update, and could not stay in place.</p>
    </Empty>
  );
}

function Table({ displaced }: { displaced: readonly DisplacedData[] }) {
  return (
    <>
      <DataTable label="Displaced content" head={['Container', 'By the rollback of', 'Paths', 'Size', 'Since', 'Id']}>
        {displaced.map(({ id, container, orphaned, update, created, paths, bytes }) => (
          <tr key={id}>
            <th scope="row">
              {orphaned ? (
                `${shown(container)} (removed)`
              ) : (
                <a href={linkTo(['containers', container])}>{shown(container)}</a>
              )}
            </th>
            <td>{shown(update)}</td>
            <td class="path">{paths.map(shown).join(', ')}</td>
            <td>{bytesText(bytes)}</td>
            <td>
              <Time at={created} />
            </td>
            <td>
              <code>{id}</code>
            </td>
          </tr>
        ))}
      </DataTable>
      <p>To restore a path to its container, or to drop what is no longer needed, on the machine:</p>
      <Command>{`lamina displaced restore ${displaced[0]?.id ?? 'ID'} PATH`}</Command>
      <Command>{`lamina displaced drop ${displaced[0]?.id ?? 'ID'}`}</Command>
    </>
  );
}
