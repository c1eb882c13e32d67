import type { DetailedChangeData, PreviewData } from '../app/apply.js';
import { printable } from '../base/bytes.js';
import { bytesText } from '../base/units.js';
import { counted, shown } from './output.js';

/** Of a hash, for people: enough to see that two are different. */
const shownDigits = 16;

/** What an update would change, for people. @param verbose with the list of changes, and what differs in each */
export function previewText({ base, containers }: PreviewData, verbose: boolean): string {
  const all = [
    { who: `base ${base.name}`, changes: base.changes },
    ...containers.map(({ container, changes }) => ({ who: `container ${container}`, changes })),
  ];
  return [
    'a dry run: nothing was changed',
    `base ${base.name}: ${countText(base.changes)}, ${bytesText(base.bytes)} of content`,
    ...containers.map(
      ({ container, outcome, entries, bytes, changes }) =>
        `container ${container}: ${outcome}; ${countText(changes)}; side effect ${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}`,
    ),
    ...(verbose
      ? alike(all).flatMap(({ who, changes }) => ['', `in ${who.join(', ')}:`, ...changes.flatMap(changeLines)])
      : []),
  ].join('\n');
}

interface Changed {
  readonly who: string;
  readonly changes: readonly DetailedChangeData[];
}

/** Roots with the same changes, grouped. */
function alike(all: readonly Changed[]): { who: string[]; changes: Changed['changes'] }[] {
  const groups = new Map<string, { who: string[]; changes: Changed['changes'] }>();
  for (const { who, changes } of all) {
    if (changes.length === 0) continue;
    const key = JSON.stringify(changes);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { who: [who], changes });
    else group.who.push(who);
  }
  return [...groups.values()];
}

/** What would change in one root, for people. */
export function changesText(what: string, changes: readonly DetailedChangeData[], verbose: boolean): string[] {
  return [`${what}: ${countText(changes)}`, ...(verbose ? changes.flatMap(changeLines) : [])];
}

function countText(changes: readonly DetailedChangeData[]): string {
  return Object.entries({ add: 'added', modify: 'modified', delete: 'deleted' })
    .map(([change, done]) => `${changes.filter((each) => each.change === change).length} ${done}`)
    .join(', ');
}

export function changeLines({ path, change, type, attributes, content }: DetailedChangeData): string[] {
  const indent = (lines: readonly string[]) => lines.map((line) => `      ${shown(line)}`.trimEnd());
  // Writing content changes its time.
  const listed = content === null ? attributes : attributes.filter((each) => !each.startsWith('mtime '));
  return [
    `  ${change.padEnd(6)}  ${type.padEnd(9)}  ${shown(path)}`,
    ...indent(listed),
    ...(content === null ? [] : indent(contentLines(content))),
  ];
}

/** Lines of a text diff that are printed; --json has them all. */
const mostLines = 200;

function contentLines(content: NonNullable<DetailedChangeData['content']>): string[] {
  switch (content.kind) {
    case 'keys':
      return content.keys.map(({ key, before, after }) => {
        if (content.hidden) return `${key}: changed (its values are secret)`;
        return `${key}: ${before ?? '(none)'} → ${after ?? '(none)'}`;
      });
    case 'text': {
      const lines = printable(content.diff).trimEnd().split('\n');
      const more = lines.length > mostLines ? [`… ${lines.length - mostLines} more lines`] : [];
      return [...(content.note === null ? [] : [`by lines: ${content.note}`]), ...lines.slice(0, mostLines), ...more];
    }
    case 'binary': {
      const side = (file: typeof content.before) =>
        file === null ? '(none)' : `${bytesText(file.size)} ${file.hash.slice(0, shownDigits)}`;
      return [`${side(content.before)} → ${side(content.after)}${content.note === null ? '' : ` (${content.note})`}`];
    }
  }
}
