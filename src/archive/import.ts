import { mkdirSync, renameSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fromText, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must, refused } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { limits } from '../base/limits.js';
import { adopt, own, withNames } from '../manifest/index.js';
import type { Adoption, Manifest, NodeId, Renames } from '../manifest/index.js';
import { makePlainDirectory } from '../platform/exact.js';
import { isThereSync, removeTree } from '../platform/walk.js';
import { UpdatePaths, isImageConfig, markNamespace } from '../store/index.js';
import type { Change, ChangeContext } from '../transaction/index.js';
import { corruptArchive } from './description.js';
import type { Description } from './description.js';
import { checkImageLayer } from './image-layer.js';
import { configsOf, memberNames, partsOf } from './names.js';
import type { Part } from './names.js';
import type { ArchiveReader } from './read.js';
import { renameInRecords, runRecords } from './records.js';
import { readArrivedIndex, skipTree, stageTree } from './stage-tree.js';

/** What Buffer holds. */
const largestIndex = 2 ** 31 - 1;

/** An archive that was opened: its description was read, and its names are free here. */
export interface OpenedArchive {
  readonly reader: ArchiveReader;
  readonly description: Description;
  readonly renames: Renames;
}

/**
 * @returns what arrives, with the names that it has here
 * @throws LaminaError usage: a name is unknown or malformed; refused: one is taken, or the store is of another kind
 */
export function checkArrival(present: Manifest, { reader, description, renames }: OpenedArchive): Manifest {
  const { manifest } = description;
  const named = withNames(manifest, renames);
  if (manifest.marks !== markNamespace())
    throw refused(
      `${reader.called} is of a store ${manifest.marks === 'trusted' ? 'of root' : 'of a user without root'}, and this one is not`,
      {
        code: 'OTHER_MARKS',
        hint:
          manifest.marks === 'trusted'
            ? 'import it as root; or take a root out of it there: lamina export NAME FILE.tar'
            : 'import it as a user without root; or take a root out of it there: lamina export NAME FILE.tar',
      },
    );
  // What has the same id is compared when its index was read.
  const equal = new Set(Object.keys(named.nodes));
  adopt(present, { manifest: named, equal, freshId: () => newId('s') });
  return named;
}

/** Stages once what an archive holds and the store has not; what is published is planned again for each manifest. */
export class ArchiveImport implements Change<'all'> {
  readonly #fresh = new Map<NodeId, NodeId>();
  #equal: ReadonlySet<NodeId> = new Set();
  #staged: Adoption | undefined;

  constructor(
    readonly context: ChangeContext,
    readonly archive: OpenedArchive,
    /** With the names that it has here. */
    readonly manifest: Manifest,
  ) {}

  readonly plan = (): 'all' | undefined => (this.#staged === undefined ? 'all' : undefined);

  readonly transition = (present: Manifest): Manifest => {
    const adoption = this.#adopt(present);
    const { added = [], updates = [] } = this.#staged ?? {};
    if (adoption.added.join() === added.join() && adoption.updates.join() === updates.join()) return adoption.manifest;
    throw refused('the store was changed by another command meanwhile', { code: 'STALE', hint: 'try again' });
  };

  readonly stage = async (_: 'all', present: Manifest): Promise<void> => {
    const { reader } = this.archive;
    const scratch = this.context.transaction.paths.layout;
    mkdirSync(toBuffer(scratch), 0o700);
    const parts = partsOf(this.manifest);
    const places = new Map(parts.map((part) => [part, join(scratch, `${part.id}.index`)]));
    for (const part of parts)
      await reader.contentInto(memberNames.index(part), places.get(part) as BytePath, largestIndex);
    await this.#stageConfigs();
    this.#equal = await this.#equalNodes(present, places);
    const adoption = this.#adopt(present);
    for (const part of parts) await this.#stagePart(part, places.get(part) as BytePath, adoption);
    await reader.end();
    this.#staged = adoption;
  };

  #adopt(present: Manifest): Adoption {
    const freshId = (id: NodeId): NodeId => {
      const known = this.#fresh.get(id) ?? newId(id.startsWith('e') ? 'e' : 's');
      this.#fresh.set(id, known);
      return known;
    };
    return adopt(present, { manifest: this.manifest, equal: this.#equal, freshId });
  }

  /** Which nodes are here with the very same index. */
  async #equalNodes({ nodes }: Manifest, places: ReadonlyMap<Part, BytePath>): Promise<Set<NodeId>> {
    const equal = new Set<NodeId>();
    const { store } = this.context.transaction;
    for (const [part, place] of places) {
      const { kind, id } = part;
      if (kind !== 'node' || own(nodes, id)?.sealed !== true) continue;
      const [ours, theirs] = await Promise.all(
        [store.paths.node(id).index, place].map(async (path) => readFile(toBuffer(path))),
      );
      if (ours?.equals(must(theirs, 'an index')) === true) equal.add(id);
      // It may differ because it is damaged: then that is the reason to give.
      else await readArrivedIndex(this.archive.reader.called, part, place);
    }
    return equal;
  }

  async #stageConfigs(): Promise<void> {
    const { transaction } = this.context;
    for (const digest of configsOf(this.manifest)) {
      const { reader } = this.archive;
      const bytes = await reader.content(memberNames.config(digest), limits.imageDescription.value);
      if (!isImageConfig(bytes, digest))
        throw corruptArchive(reader.called, `the configuration of an image is not that of its digest ${digest}`);
      writeFileSync(toBuffer(transaction.stageImage(digest).config), bytes, { mode: 0o600 });
    }
  }

  async #stagePart(part: Part, place: BytePath, adoption: Adoption): Promise<void> {
    const { reader, description, renames } = this.archive;
    const { called } = reader;
    const { transaction, signal } = this.context;
    const index = await readArrivedIndex(called, part, place);
    const wanted = (part.kind === 'node' ? adoption.added : adoption.updates).includes(part.id);
    const request = { part, index, scratch: transaction.paths.layout, signal };
    if (part.kind === 'update') {
      const staged = wanted ? transaction.stageUpdate(part.id) : new UpdatePaths(join(request.scratch, 'records'));
      await stageTree(reader, { ...request, tree: staged.directory });
      renameInRecords(staged, renames);
      if (!wanted) await this.#addRuns(part, staged);
      return;
    }
    const extras = description.extras[part.id] ?? [];
    if (!wanted) {
      for (const name of extras) await this.#extraInto(part, name, undefined);
      await skipTree(reader, part, index);
      return;
    }
    const { kind, sealed, entries, image } = must(own(this.manifest.nodes, part.id), `node ${part.id}`);
    if (sealed && entries !== index.listing.size - 1)
      throw corruptArchive(
        called,
        `the index of ${part.id} has ${index.listing.size - 1} entries, and its manifest says ${entries}`,
      );
    const node = transaction.stage(kind, adoption.ids.get(part.id));
    for (const name of extras) await this.#extraInto(part, name, node.directory);
    await stageTree(reader, { ...request, tree: node.tree });
    if (image !== null) await checkImageLayer({ called, id: part.id, layer: node, diffId: image.diffId, signal });
    if (sealed) renameSync(toBuffer(place), toBuffer(node.index));
    // A rollback may open a sealed storage again.
    if (kind === 'storage') makePlainDirectory(node.work);
  }

  /** The update is here already: of its records those of the containers that come are added. */
  async #addRuns({ id }: Part, records: UpdatePaths): Promise<void> {
    const { transaction } = this.context;
    const serviced = own(this.manifest.updates, id)?.effects.map(({ container }) => container) ?? [];
    for (const [back, container] of Object.keys(this.manifest.containers).entries()) {
      if (!serviced.includes(container)) continue;
      const run = await runRecords(records, container);
      if (run === undefined) continue;
      const { directory } = transaction.stageCatchUp(id, back);
      rmdirSync(toBuffer(directory));
      renameSync(toBuffer(run), toBuffer(directory));
    }
    removeTree(records.directory);
  }

  async #extraInto(part: Part, name: 'tar-headers' | 'origins.json', directory: BytePath | undefined): Promise<void> {
    const path = directory ?? this.context.transaction.paths.layout;
    const file = join(path, fromText(name));
    if (isThereSync(file)) unlinkSync(toBuffer(file));
    await this.archive.reader.contentInto(memberNames.extra(part, name), file);
  }
}
