import type { BytePath } from '../base/bytes.js';
import { must, refused, usage } from '../base/errors.js';
import type { Removing } from '../base/steps.js';
import { isoNow } from '../base/time.js';
import { addBase, own, removeBase, validateName } from '../manifest/index.js';
import type { Manifest, NewBase, SealedNode } from '../manifest/index.js';
import { removeAllDurably } from '../platform/durable.js';
import { isRoot } from '../platform/privileges.js';
import { hasProgram } from '../platform/programs.js';
import { lineThatGivesIds, ownMaps, ownName } from '../platform/subordinate-ids.js';
import { initStore, standardInput, unusedImages, withImportSource } from '../store/index.js';
import type { BaseOptions, ImportSource, Store, Transaction } from '../store/index.js';
import { publishChange, publishRemoval, withChange } from '../transaction/index.js';
import type { Change } from '../transaction/index.js';
import { refuseRemovalBelowOthers } from '../update/index.js';
import { baseData } from '../data/index.js';
import type { BaseData } from '../data/index.js';

export { standardInput };
export type { BaseData, BaseOptions, Store };

export interface InitOptions {
  /** The store supports all users of a root: subordinate ids of its owner (subuid(5)). */
  readonly subordinateIds?: boolean | undefined;
}

/** @throws LaminaError as initStore; refused, usage: no subordinate ids are available */
export async function init(root: BytePath, options: InitOptions = {}): Promise<void> {
  if (options.subordinateIds === true) checkSubordinateIds();
  await initStore(root, { withUsers: options.subordinateIds });
}

function checkSubordinateIds(): void {
  if (isRoot())
    throw usage('--subordinate-ids is for users other than root: root has all users', { hint: 'leave it out' });
  const name = ownName();
  if (name === undefined)
    throw refused(`user ${process.getuid?.() ?? ''} has no name, and without one newuidmap gives no subordinate ids`, {
      code: 'NO_SUBORDINATE_IDS',
      hint: 'as root, add the user to /etc/passwd; or make the store without --subordinate-ids',
    });
  if (ownMaps() === undefined) {
    const line = lineThatGivesIds(name);
    throw refused(`user ${name} has no subordinate ids in /etc/subuid and /etc/subgid`, {
      code: 'NO_SUBORDINATE_IDS',
      hint: `as root, add a line to both (by hand, or usermod --add-subuids --add-subgids):\n    /etc/subuid: ${line}\n    /etc/subgid: ${line}`,
    });
  }
  const missing = ['newuidmap', 'newgidmap'].find((program) => !hasProgram(program));
  if (missing !== undefined)
    throw refused(`${missing} is not in PATH`, { code: 'NO_SUBORDINATE_IDS', hint: 'install it (Debian: uidmap)' });
}

/**
 * Makes a base from a directory or a tar.
 * @throws LaminaError usage: bad name; refused: beyond a limit, the name is taken, the archive is unsafe, the source is
 * an image or empty; notFound: no such source; failed: it cannot be read or written
 */
export async function baseImport(
  store: Store,
  name: string,
  source: BytePath,
  options: BaseOptions,
): Promise<BaseData> {
  validateName('base', name);
  return withImportSource(source, options, async (held) => {
    const before = async () => {
      refuseTaken(await store.read(), name);
      held.check();
    };
    const manifest = await withChange(store, { kind: 'import', signal: options.signal, before }, async (context) =>
      publishChange(context, new Import(context.transaction, held, { name, version: options.version ?? null })),
    );
    return baseData(must(manifest, 'what was published'), name);
  });
}

function refuseTaken(manifest: Manifest, name: string): void {
  if (own(manifest.bases, name) === undefined) return;
  throw refused(`a base named '${name}' already exists`, { code: 'BASE_EXISTS', hint: 'choose another name' });
}

/** The change that an import makes. */
class Import implements Change<ImportSource> {
  #layer: SealedNode | undefined;

  constructor(
    readonly transaction: Transaction,
    readonly source: ImportSource,
    readonly base: Pick<NewBase, 'name' | 'version'>,
  ) {}

  readonly plan = (): ImportSource | undefined => (this.#layer === undefined ? this.source : undefined);

  readonly stage = async (source: ImportSource): Promise<void> => {
    this.#layer = await source.stage(this.transaction);
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const layer = must(this.#layer, 'the layer that was imported');
    return addBase(manifest, { ...this.base, layer, created: isoNow() });
  };
}

export async function baseList(store: Store): Promise<BaseData[]> {
  const manifest = await store.read();
  return Object.keys(manifest.bases)
    .sort()
    .map((name) => baseData(manifest, name));
}

/**
 * Removes a base with its layers and updates. @throws LaminaError refused while containers stand on it; as
 * `publishRemoval`
 */
export async function baseRemove(store: Store, name: string, removing: Removing = {}): Promise<void> {
  await publishRemoval(store, {
    ...removing,
    transition: async (present) => {
      const transition = removeBase(present, name);
      await refuseRemovalBelowOthers(store, present, transition.removedNodes);
      return transition;
    },
    clearUp: async (present) => removeAllDurably(unusedImages(store.paths, present)),
  });
}
