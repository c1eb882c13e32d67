import type { LoggedOperation } from '../api/documents.js';
import { shown } from '../base/text.js';
import { DataTable } from './small.js';

/** Recorded operations, in their order. */
export function OperationsTable({ label, operations }: { label: string; operations: readonly LoggedOperation[] }) {
  return (
    <DataTable label={label} head={['Time', 'Process', 'User', 'Command', 'Operation', 'Path']}>
      {operations.map((each, at) => (
        <tr key={each.n ?? at}>
          <td class="number">{clockText(each.time)}</td>
          <td class="number">{each.pid}</td>
          <td class="number">{each.uid}</td>
          <td>{each.command === '' ? '-' : shown(each.command)}</td>
          <td>{each.operation}</td>
          <td class="path">{each.to === undefined ? shown(each.path) : `${shown(each.path)} → ${shown(each.to)}`}</td>
        </tr>
      ))}
    </DataTable>
  );
}

/** The time of the day, to the millisecond, as the server wrote it (UTC). */
export const clockText = (time: string): string => time.replace(/^.*T/, '').replace(/^([\d:]+\.\d{3}).*$/, '$1');
