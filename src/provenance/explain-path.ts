import { components, display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must, notFound, usage } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { holders } from '../changeset/index.js';
import type { Hiding, Holder } from '../changeset/index.js';
import type { LoggedOperation } from '../journal/index.js';
import { containerOf, nodeOf } from '../manifest/index.js';
import type { NodeId } from '../manifest/index.js';
import { NodeReader } from '../store/index.js';
import type { Store } from '../store/index.js';
import { rootPath } from '../data/index.js';
import { makersOf, provenanceIn, updateName } from './node-provenance.js';
import type { PathContext, NodeProvenance } from './node-provenance.js';

/** A node's part in a path. */
export interface Origin {
  readonly node: NodeId;
  readonly kind: string;
  /** The name of the update that made it so, or null: none, or see `folded`. */
  readonly update: string | null;
  /**
   * Names of updates that were folded into the node, one of which may have made it so, newest first: which one was not
   * recorded. Otherwise empty.
   */
  readonly folded: readonly string[];
  /** What the node holds there; `whiteout`: it hides what older nodes hold. */
  readonly type: string;
  /** The path in the node's tree where it is another: in a directory that was renamed above it. */
  readonly path: string | null;
  /** Of a whiteout: where the node has what hides the path, and what that is. */
  readonly hiding: { readonly at: string; readonly by: Hiding['by'] } | null;
}

export interface ExplainData {
  readonly container: string;
  readonly path: string;
  /** Where it comes from. For a merged directory, the newest node, whose attributes are seen. */
  readonly origin: Origin;
  /** Of a directory: the other nodes that it is merged from, newest first. */
  readonly merged: readonly Origin[];
  /** Of a file whose attributes alone were changed: the node that has its bytes. */
  readonly content: Origin | null;
  /** What is hidden in older nodes, newest first. */
  readonly hides: readonly Origin[];
  /**
   * What an update's procedure did to it, in its order, under the names that it had then; the last one made it what it
   * is.
   */
  readonly operations: readonly LoggedOperation[];
  /**
   * The run that recorded them. `base`, of a delta storage: in the container the procedure did nothing there, but the
   * delta layer changes the path, so the container's own is kept above it.
   */
  readonly run: NodeProvenance['run'];
  /**
   * Whether the journal of the update that made it so is there; `unrecorded`: there is none, because it ran in the
   * container by the kernel; null: no update did. A layer's is empty, because nothing runs.
   */
  readonly journal: NodeProvenance['journal'];
  /** The path before the update, if different. */
  readonly before: string | null;
}

/**
 * Finds where a path of a container's root comes from.
 * @throws LaminaError notFound: no such container, or nothing at the path (and who removed it); usage
 */
export async function explain(store: Store, container: string, text: string): Promise<ExplainData> {
  const manifest = await store.read();
  containerOf(manifest, container);
  const path = pathIn(text);
  const reader = new NodeReader(store, manifest);
  const ids = reader.container(container);
  const view = await reader.view(ids);
  const { shown, hidden } = holders(view.stack, path);
  const [newest, ...rest] = shown;
  const context = { store, manifest, reader, container, ids };
  const toOrigin = async (holder: Holder) => originOf(context, path, holder);
  const toOrigins = async (list: readonly Holder[]) => Promise.all(list.map(toOrigin));
  if (newest === undefined) {
    const [remover] = hidden;
    if (remover === undefined)
      throw absent(
        container,
        path,
        'no layer and no storage has had this path; lamina diff shows what the container changed',
      );
    const { removed, update } = await provenanceIn(
      context,
      nodeAt(ids, remover),
      path,
      await makersAt(context, remover),
    );
    throw absent(container, path, removal(named(await toOrigin(remover), update), removed));
  }
  const provenance = await provenanceIn(context, nodeAt(ids, newest), newest.path, await makersAt(context, newest));
  const data = view.get(path)?.data;
  const apart = data !== undefined && data.layer !== newest.layer;
  return {
    container,
    path: rootPath(path),
    origin: named(await toOrigin(newest), provenance.update),
    merged: await toOrigins(rest),
    content: apart ? await toOrigin({ ...data, type: 'file', hiding: undefined }) : null,
    hides: await toOrigins(hidden),
    operations: provenance.made,
    run: provenance.run,
    journal: provenance.journal,
    before: provenance.before === undefined || provenance.before === newest.path ? null : rootPath(provenance.before),
  };
}

const nodeAt = (ids: readonly NodeId[], { layer }: Holder): NodeId => must(ids[layer], 'a node of the stack');

const makersAt = async (context: PathContext, holder: Holder) =>
  makersOf(context, nodeAt(context.ids, holder), holder.hiding?.at ?? holder.path);

/** Where it was not recorded which update it was, take the newest whose journal has the path. */
const named = (origin: Origin, update: string | undefined): Origin =>
  update === undefined ? origin : { ...origin, update, folded: [] };

function pathIn(text: string): BytePath {
  const parts = components(fromText(text)).filter((part) => part !== '.');
  if (parts.includes('..' as BytePath)) {
    throw usage(`the path ${display(fromText(text))} contains ..`, {
      code: 'BAD_PATH',
      hint: "give it relative to the container's root",
    });
  }
  return parts.join('/') as BytePath;
}

async function originOf(context: PathContext, path: BytePath, holder: Holder): Promise<Origin> {
  const { manifest, ids } = context;
  const { path: at, type, hiding } = holder;
  const node = nodeAt(ids, holder);
  const { updates, known } = await makersAt(context, holder);
  const names = updates.map((id) => updateName(manifest, id));
  return {
    node,
    kind: nodeOf(manifest, node).kind,
    update: known ? (names[0] ?? null) : null,
    folded: known ? [] : names,
    type,
    path: at === path ? null : rootPath(at),
    hiding: hiding === undefined ? null : { at: rootPath(hiding.at), by: hiding.by },
  };
}

function absent(container: string, path: BytePath, hint: string): LaminaError {
  return notFound(`there is no /${display(path)} in container '${container}'`, { code: 'NO_PATH', hint });
}

/** What removed a path, for people. */
function removal({ update, folded, kind, node, hiding }: Origin, operation: LoggedOperation | undefined): string {
  const one = folded.length === 0 ? '' : ` or one of the updates ${folded.join(', ')}, which were merged into it,`;
  const by = update === null ? `the container itself${one}` : `update '${update}'`;
  const printed = (text: string) => display(fromText(text));
  const how = {
    whiteout: (at: string) => `whiteout of ${at}`,
    opaque: (at: string) => `opaque directory ${at}`,
    replaced: (at: string) => `another ${at}`,
  };
  const where = hiding === null ? '' : `: ${how[hiding.by](printed(hiding.at))}`;
  const call =
    operation === undefined
      ? ''
      : `; ${printed(operation.command)} (process ${operation.pid}) did so at ${operation.time}: ${operation.operation} ${printed(operation.path)}${operation.to === undefined ? '' : ` → ${printed(operation.to)}`}`;
  return `${by} removed it (${kind} ${node}${where})${call}`;
}
