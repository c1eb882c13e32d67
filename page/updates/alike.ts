/* Roots that an update would change in the same way, as one. Pure. */
import type { DetailedChangeData, PreviewData } from '../api/documents.js';

export interface Group {
  readonly title: string;
  readonly names: readonly string[];
  readonly outcome: string | undefined;
  readonly changes: readonly DetailedChangeData[];
  /** On the base, of its delta layer; of containers, of all their delta storages. */
  readonly bytes: number;
}

/** The base first, then containers by how many are alike. */
export function alike(base: PreviewData['base'], containers: PreviewData['containers']): Group[] {
  const groups = new Map<
    string,
    { names: string[]; outcome: string; changes: readonly DetailedChangeData[]; bytes: number }
  >();
  for (const { container, outcome, changes, bytes } of containers) {
    const key = JSON.stringify([outcome, changes]);
    const group = groups.get(key) ?? { names: [], outcome, changes, bytes: 0 };
    group.names.push(container);
    group.bytes += bytes;
    groups.set(key, group);
  }
  const sorted = [...groups.values()].sort((a, b) => b.names.length - a.names.length);
  return [
    { title: `Base ${base.name}`, names: [base.name], outcome: undefined, changes: base.changes, bytes: base.bytes },
    ...sorted.map(({ names, ...group }, at) => ({
      ...group,
      names,
      title:
        names.length === 1
          ? `Container ${names[0] ?? ''}`
          : `${names.length} containers alike${at === 0 ? '' : ` (${names[0] ?? ''} …)`}`,
    })),
  ];
}
