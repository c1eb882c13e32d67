import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { Provenance } from '../changeset/index.js';
import { layerChain, nodeOf, updateOf } from '../manifest/index.js';
import type { Manifest, NodeId, UpdateId } from '../manifest/index.js';
import type { NodeReader, Store } from '../store/index.js';
import { readJournal } from './log.js';
import type { LoggedOperation } from '../servicing/index.js';
import type { JournalLine } from './log.js';

/** What the updates that made a node recorded of a path of it. */
export interface Story {
  /** The name of the newest of these updates that did something there; undefined: none did. */
  readonly update: string | undefined;
  /** Of its run in the container, or on the base; null: nothing was recorded. */
  readonly run: 'base' | 'container' | null;
  readonly made: readonly LoggedOperation[];
  /** Where it stood before that update; undefined: nowhere, or nothing was recorded. */
  readonly before: BytePath | undefined;
  /** Where the node takes the path away: by which operation. */
  readonly removed: LoggedOperation | undefined;
}

/** A container whose paths are asked for. */
export interface Site {
  readonly store: Store;
  readonly manifest: Manifest;
  readonly reader: NodeReader;
  readonly container: string;
  /** Its stack, newest first. */
  readonly ids: readonly NodeId[];
}

const nothing: Story = { update: undefined, run: null, made: [], before: undefined, removed: undefined };

/** @param path in the node's tree */
export async function storyOf(site: Site, node: NodeId, path: BytePath): Promise<Story> {
  const { kind, update, merged } = nodeOf(site.manifest, node);
  const runs = kind === 'delta-layer' || kind === 'base-layer' ? (['base'] as const) : (['container', 'base'] as const);
  for (const id of [...(update === null ? [] : [update]), ...merged.toReversed()]) {
    for (const run of runs) {
      const known = await provenanceOf(site, node, id, run);
      if (known === undefined) continue;
      const made = known.made(path).map(({ logged }) => logged);
      const removed = known.removed(path)?.logged;
      if (made.length === 0 && removed === undefined) continue;
      return { update: updateOf(site.manifest, id).name, run, made, before: known.before(path), removed };
    }
  }
  return nothing;
}

async function provenanceOf(
  site: Site,
  node: NodeId,
  id: UpdateId,
  run: 'base' | 'container',
): Promise<Provenance<JournalLine> | undefined> {
  const { store, manifest, reader, container } = site;
  const journal = await readJournal(store, id, run === 'container' ? container : undefined);
  if (journal === undefined) return undefined;
  const layers = layerChain(manifest, updateOf(manifest, id).parent);
  const storages = run === 'container' ? storagesBelow(site, node) : [];
  const view = await reader.view([...storages, ...layers]);
  return new Provenance(journal, (path) => {
    const found = view.get(path);
    return found && view.identity(found);
  });
}

function storagesBelow({ manifest, ids }: Site, node: NodeId): NodeId[] {
  const at = ids.indexOf(node);
  return ids.slice(at + 1).filter((id) => nodeOf(manifest, must(id, 'a node')).layer !== null);
}
