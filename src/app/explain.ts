import { components, display, fromText, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must, notFound, usage } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { holders } from '../changeset/index.js';
import type { Hiding, Holder } from '../changeset/index.js';
import { containerOf, nodeOf, updateOf } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { NodeReader } from '../store/index.js';
import type { Store } from '../store/index.js';
import type { LoggedOperation } from '../servicing/index.js';
import { storyOf } from './story.js';
import type { Story } from './story.js';

/** A node's part in a path. */
export interface Origin {
  readonly node: NodeId;
  readonly kind: string;
  /** The name of the update that made the node, or null. */
  readonly update: string | null;
  /** What the node holds there; `whiteout`: it takes away what older nodes hold. */
  readonly type: string;
  /** The path in the node's tree where it is another: in a directory that was renamed above it. */
  readonly path: string | null;
  /** Of a whiteout: where the node has what hides the path, and what that is. */
  readonly hiding: { readonly at: string; readonly by: Hiding['by'] } | null;
}

export interface ExplainData {
  readonly container: string;
  readonly path: string;
  /** Where it comes from. Of a directory that several nodes make up, the newest, whose attributes are seen. */
  readonly origin: Origin;
  /** Of a directory: the other nodes that it is merged from, newest first. */
  readonly merged: readonly Origin[];
  /** Of a file whose attributes alone were changed: the node that has its bytes. */
  readonly content: Origin | null;
  /** What is hidden in older nodes, newest first. */
  readonly hides: readonly Origin[];
  /** What an update's procedure did to it, in its order, under whatever names it had then; the last one made it what it is. */
  readonly operations: readonly LoggedOperation[];
  /**
   * Of which run they are. `base`, of a delta storage: in the container the procedure did nothing there, but the delta layer changes the path, so the container's own is kept
   * above it.
   */
  readonly run: Story['run'];
  /** The path at which it stood before the update, where that is another. */
  readonly before: string | null;
}

/**
 * Tells where a path of a container's root comes from.
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
  const toOrigin = (holder: Holder) => originOf(manifest, ids, path, holder);
  const [newest, ...rest] = shown;
  const site = { store, manifest, reader, container, ids };
  if (newest === undefined) {
    const [remover] = hidden;
    if (remover === undefined) throw absent(container, path, 'nothing ever was: see lamina diff');
    const { removed } = await storyOf(site, must(ids[remover.layer], 'a node of the stack'), path);
    throw absent(container, path, removal(toOrigin(remover), removed));
  }
  const story = await storyOf(site, must(ids[newest.layer], 'a node of the stack'), newest.path);
  const data = view.get(path)?.data;
  const apart = data !== undefined && data.layer !== newest.layer;
  const origin = toOrigin(newest);
  return {
    container,
    path: toText(path),
    origin: { ...origin, update: story.update ?? origin.update },
    merged: rest.map(toOrigin),
    content: apart ? toOrigin({ ...data, type: 'file', hiding: undefined }) : null,
    hides: hidden.map(toOrigin),
    operations: story.made,
    run: story.run,
    before: story.before === undefined || story.before === newest.path ? null : toText(story.before),
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

function originOf(
  manifest: Manifest,
  ids: readonly NodeId[],
  path: BytePath,
  { layer, path: at, type, hiding }: Holder,
): Origin {
  const node = must(ids[layer], 'a node of the stack');
  const { kind, update } = nodeOf(manifest, node);
  return {
    node,
    kind,
    update: update === null ? null : updateOf(manifest, update).name,
    type,
    path: at === path ? null : toText(at),
    hiding: hiding === undefined ? null : { at: toText(hiding.at), by: hiding.by },
  };
}

function absent(container: string, path: BytePath, hint: string): LaminaError {
  return notFound(`there is no /${display(path)} in container '${container}'`, { code: 'NO_PATH', hint });
}

/** Who took a path away, for people. */
function removal({ update, kind, node, hiding }: Origin, operation: LoggedOperation | undefined): string {
  const by = update === null ? 'the container itself' : `update '${update}'`;
  const told = (text: string) => display(fromText(text));
  const how = {
    whiteout: (at: string) => `whiteout of ${at}`,
    opaque: (at: string) => `opaque directory ${at}`,
    replaced: (at: string) => `another ${at}`,
  };
  const where = hiding === null ? '' : `: ${how[hiding.by](`/${told(hiding.at)}`)}`;
  const call =
    operation === undefined
      ? ''
      : `; ${told(operation.command)} (process ${operation.pid}) did so at ${operation.time}: ${operation.operation} ${told(operation.path)}${operation.to === undefined ? '' : ` → ${told(operation.to)}`}`;
  return `${by} removed it (${kind} ${node}${where})${call}`;
}
