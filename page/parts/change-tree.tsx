/* Changes as a tree with sizes; one of them can be chosen. */
import { useMemo, useState } from 'preact/hooks';
import { bytesText, counted, shown } from '../base/text.js';
import { openAtFirst, treeOf, treeRows } from './tree.js';
import type { Change, TreeRow } from './tree.js';
import { LongList } from './long-list.js';

interface Props {
  readonly label: string;
  readonly changes: readonly Change[];
  readonly chosen: string | undefined;
  readonly choose: (path: string) => void;
}

const rowHeight = 30;
/** The sign says what the colour does. */
const signs: Readonly<Record<string, string>> = { add: '+', modify: '~', delete: '−' };

export function ChangeTree({ label, changes, chosen, choose }: Props) {
  const tree = useMemo(() => treeOf(changes), [changes]);
  const [open, setOpen] = useState(() => openAtFirst(tree, chosen));
  const rows = useMemo(() => treeRows(tree, open), [tree, open]);
  const toggle = ({ entry }: TreeRow, wanted: boolean) => {
    if (entry.children.length === 0 || open.has(entry.path) === wanted) return;
    const next = new Set(open);
    if (wanted) next.add(entry.path);
    else next.delete(entry.path);
    setOpen(next);
  };
  const use = (row: TreeRow) => {
    if (row.entry.change === undefined) toggle(row, !row.isOpen);
    else choose(row.entry.path);
  };
  return (
    <LongList
      label={label}
      className="tree"
      items={rows}
      keyOf={({ entry }) => entry.path}
      rowHeight={rowHeight}
      open={use}
      start={rows.findIndex(({ entry }) => entry.path === chosen)}
      tree={{
        level: ({ level }) => level,
        isOpen: ({ entry, isOpen }) => (entry.children.length === 0 ? undefined : isOpen),
        isChosen: ({ entry }) => entry.path === chosen,
        toggle,
      }}
      row={(row) => <Row row={row} use={use} toggle={toggle} />}
    />
  );
}

interface RowProps {
  readonly row: TreeRow;
  readonly use: (row: TreeRow) => void;
  readonly toggle: (row: TreeRow, open: boolean) => void;
}

function Row({ row, use, toggle }: RowProps) {
  const { entry, level, isOpen } = row;
  const change = entry.change?.change;
  const hasSize = entry.bytes > 0;
  return (
    <>
      <span role="gridcell" class="entry" style={{ paddingLeft: `${(level - 1) * 18}px` }}>
        <span class="twist" aria-hidden="true" onClick={() => toggle(row, !isOpen)}>
          {entry.children.length === 0 ? '' : isOpen ? '▾' : '▸'}
        </span>
        <span class={`sign ${change ?? ''}`} title={change ?? 'holds changes'}>
          <span aria-hidden="true">{signs[change ?? ''] ?? ' '}</span>
          <span class="unseen">{change ?? ''}</span>
        </span>
        <button type="button" class="link" tabIndex={-1} onClick={() => use(row)}>
          {shown(entry.name)}
          {entry.children.length > 0 && '/'}
        </button>
      </span>
      <span role="gridcell" class="type quiet">
        {entry.children.length > 0 ? counted(entry.count, 'change') : (entry.change?.type ?? '')}
      </span>
      <span role="gridcell" class="size">
        {hasSize ? bytesText(entry.bytes) : ''}
      </span>
    </>
  );
}
