import { basename, components, dirname, display, fromText, join, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must, notFound, usage } from '../base/errors.js';
import type { View } from '../changeset/index.js';
import { containerOf, nodeOf, updateOf } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { NodeReader } from '../store/index.js';
import type { Store } from '../store/index.js';
import { pathsOf, readJournal } from './log.js';
import type { LoggedOperation } from './log.js';

/** A node's part in a path. */
export interface Origin {
  readonly node: NodeId;
  readonly kind: string;
  /** The name of the update that made the node, or null. */
  readonly update: string | null;
  /** What the node holds there; `whiteout`: it says that nothing is there. */
  readonly type: string;
}

export interface ExplainData {
  readonly container: string;
  readonly path: string;
  /** Where it comes from. Of a directory that several nodes make up, the newest, whose attributes are seen. */
  readonly origin: Origin;
  /** Of a directory: the other nodes that it is merged from, newest first. */
  readonly merged: readonly Origin[];
  /** What is hidden in older nodes, newest first. */
  readonly hides: readonly Origin[];
  /** What the update's procedure did there, in its order; the last one made it what it is. */
  readonly operations: readonly LoggedOperation[];
}

/**
 * Tells where a path of a container's root comes from.
 * @throws LaminaError notFound: no such container, or nothing at the path (and which node removed it); usage
 */
export async function explain(store: Store, container: string, text: string): Promise<ExplainData> {
  const manifest = await store.read();
  containerOf(manifest, container);
  const path = pathIn(text);
  const reader = new NodeReader(store, manifest);
  const ids = reader.container(container);
  const view = await reader.view(ids);
  const found = view.get(path);
  const all = holders(view, path);
  const toOrigin = ({ layer, type }: Holder) => originOf(manifest, ids, layer, type);
  if (found === undefined) throw absent(container, path, all.map(toOrigin)[0]);
  const shown = found.places.map(({ layer }) => layer);
  const [first, ...merged] = shown.map((layer) => toOrigin({ layer, type: found.entry.type }));
  const origin = must(first, 'the place of an entry');
  return {
    container,
    path: toText(path),
    origin,
    merged,
    hides: all.filter(({ layer }) => !shown.includes(layer)).map(toOrigin),
    operations: await operationsOn(store, manifest, origin.node, {
      container,
      path: `/${toText(path)}`,
    }),
  };
}

function pathIn(text: string): BytePath {
  const parts = components(fromText(text)).filter((part) => part !== '.');
  if (parts.includes('..' as BytePath)) {
    throw usage(`the path ${display(fromText(text))} climbs up with ..`, {
      code: 'BAD_PATH',
      hint: "name it from the container's root",
    });
  }
  return parts.join('/') as BytePath;
}

interface Holder {
  readonly layer: number;
  readonly type: string;
}

/** All nodes that say something of a name in the directory that the view shows, newest first. */
function holders(view: View, path: BytePath): Holder[] {
  return (view.get(dirname(path))?.places ?? []).flatMap(({ layer, path: at }) => {
    const entry = view.stack[layer]?.get(join(at, basename(path)));
    return entry === undefined ? [] : [{ layer, type: entry.type }];
  });
}

function originOf(manifest: Manifest, ids: readonly NodeId[], layer: number, type: string): Origin {
  const node = must(ids[layer], 'a node of the stack');
  const { kind, update } = nodeOf(manifest, node);
  return { node, kind, update: update === null ? null : updateOf(manifest, update).name, type };
}

function absent(container: string, path: BytePath, newest: Origin | undefined) {
  const by = newest === undefined || newest.update === null ? 'the container itself' : `update '${newest.update}'`;
  return notFound(`there is no /${display(path)} in container '${container}'`, {
    code: 'NO_PATH',
    hint: newest?.type === 'whiteout' ? `${by} removed it (${newest.kind} ${newest.node})` : 'see lamina diff',
  });
}

/** Operations on the path, or, where there are none, on a directory above it that was moved there. */
async function operationsOn(
  store: Store,
  manifest: Manifest,
  node: NodeId,
  { container, path }: { container: string; path: string },
): Promise<LoggedOperation[]> {
  const { update, kind } = nodeOf(manifest, node);
  if (update === null) return [];
  const journal = await readJournal(store, update, kind === 'delta-storage' ? container : undefined);
  const exact = journal.filter((each) => pathsOf(each).includes(path));
  if (exact.length > 0) return exact;
  return journal.filter((each) =>
    pathsOf(each)
      .slice(1)
      .some((to) => path.startsWith(`${to}/`)),
  );
}
