import { must } from '../../base/errors.js';
import {
  alignCapture,
  layerListings,
  readSpan,
  runProcedure,
  stageDeltaStorage,
  stageEffect,
} from '../../capture/index.js';
import type { Capture, ContainerStorages, WrittenTree } from '../../capture/index.js';
import type { EffectCommit, NodeId } from '../../manifest/index.js';
import { readStored } from '../../package/index.js';
import { viewRoot } from '../../sandbox/index.js';
import { readIndex } from '../../store/index.js';
import type { MountableNode } from '../../store/index.js';
import type { Recorded, StepContext } from './step-context.js';

/** What a run wrote, as a tree that the next one runs on. */
interface Written {
  readonly id: NodeId;
  readonly capture: WrittenTree;
  readonly mountable: MountableNode;
}

/**
 * Runs procedures in a container one after the other, each on the result of those before it, and stages what the root
 * needs on the step's layer to equal the result. The states of the base between them may have been merged away; they
 * are not needed.
 */
export async function runInOrder(context: StepContext, storages: ContainerStorages): Promise<EffectCommit> {
  const { work, container, recorded, delta } = context;
  const written: Written[] = [];
  const ids = () => [...written.map(({ id }) => id), ...storages.ids];
  const mountable = () => [...written.map((each) => each.mountable), ...storages.mountable];
  const listings = () => [...written.map(({ capture }) => capture.listing), ...storages.listings];
  let { root } = storages;
  try {
    for (const each of recorded.slice(0, -1)) {
      const capture = await runOne(context, each, { mountable: mountable(), listings: listings(), root });
      const storageListings = listings();
      const made = await stageDeltaStorage(work, {
        captures: [capture],
        storages: ids(),
        storageListings,
        delta: undefined,
      });
      ({ root } = made);
      if (made.node === undefined) continue;
      const { id, tree, index } = made.node;
      written.unshift({ id, capture: { tree, listing: await readIndex(index) }, mountable: { id, tree, index } });
    }
    const last = must(recorded.at(-1), 'an update');
    const capture = await runOne(context, last, { mountable: mountable(), listings: listings(), root });
    const captures = [capture, ...written.map((each) => each.capture)];
    return await stageEffect(work, { container, storages, captures, delta });
  } finally {
    for (const { id } of written) await work.transaction.unstage(id);
  }
}

async function runOne(
  { work, container, delta, options }: StepContext,
  { id, update, settings, location }: Recorded,
  storages: Pick<ContainerStorages, 'mountable' | 'listings' | 'root'>,
): Promise<Capture> {
  const lowers = [...storages.mountable, ...work.reader.mountable(work.layers)];
  const below = [...storages.listings, ...(await layerListings(work))];
  const span = readSpan(work.transaction.store.paths.update(id).run().span);
  const timeoutMs = settings.timeoutSeconds === null ? undefined : settings.timeoutSeconds * 1000;
  const capture = await runProcedure({
    transaction: work.transaction,
    container,
    location,
    procedure: await readStored(location.procedure, update),
    update: update.name,
    network: settings.network,
    timeoutMs: options.timeoutMs ?? timeoutMs,
    signal: work.signal,
    onOutput: options.onOutput,
    engine: options.engine,
    onEngine: options.onEngine,
    lowers,
    below,
    rootReader: viewRoot(below, lowers),
    root: storages.root,
  });
  return alignCapture(capture, span && { span, written: delta.listing });
}
