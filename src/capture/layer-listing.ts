import { dirname, display, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { MemoryListing, makeEntry } from '../changeset/index.js';
import type { Entry, Listing, View } from '../changeset/index.js';
import type { LayerMarks } from '../store/index.js';

/**
 * A layer as an overlay tree on `below`: its whiteouts as entries, and directories that it only passes through with the
 * attributes that they have below.
 * @throws LaminaError refused: it passes through something that is not a directory below
 */
export function layerListing(content: Listing, marks: LayerMarks, below: View): Listing {
  const { whiteouts, opaque } = withoutOpaqueRoot(marks, below);
  const gone = [...whiteouts].filter((path) => content.get(path) === undefined && below.get(path) !== undefined);
  const named = [...content.entries()].filter(({ path }) => !marks.implied.has(path));
  const needed = new Set<BytePath>([treeRoot]);
  for (const path of [...named.map((entry) => entry.path), ...gone])
    for (let at = path; at !== treeRoot && !needed.has(at); at = dirname(at)) needed.add(at);
  const entries: Entry[] = gone.map((path) => makeEntry({ path, type: 'whiteout' }));
  for (const entry of content.entries()) {
    const { path } = entry;
    const shut = entry.type === 'directory' && path !== treeRoot && (opaque.has(path) || whiteouts.has(path));
    const there = below.get(path)?.entry;
    if (!marks.implied.has(path)) entries.push({ ...entry, opaque: shut });
    else if (there?.type === 'directory') entries.push({ ...there, ...plainMarks, path, opaque: shut });
    else if (needed.has(path)) entries.push(made(entry, there));
  }
  return new MemoryListing(entries);
}

const plainMarks = { group: -1, metacopy: false, redirect: '' } as const;

function made(entry: Entry, there: Entry | undefined): Entry {
  if (there === undefined) return entry;
  throw refused(`the layer has entries below ${display(entry.path)}, which is a ${there.type} in the base`, {
    code: 'LAYER_MISFIT',
    hint: 'to make it a directory, the layer must have a member for it',
  });
}

/** A root cannot be opaque: everything that it would hide has a whiteout of its own. */
function withoutOpaqueRoot(marks: LayerMarks, below: View): Pick<LayerMarks, 'whiteouts' | 'opaque'> {
  if (!marks.opaque.has(treeRoot)) return marks;
  return { opaque: marks.opaque, whiteouts: new Set([...marks.whiteouts, ...(below.names(treeRoot) as BytePath[])]) };
}
