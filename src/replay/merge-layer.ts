import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import { readStorages, stagePin } from '../capture/index.js';
import type { ContainerStorages, DeltaLayer, RunLocation, Work } from '../capture/index.js';
import { TouchedPaths, View, covered } from '../changeset/index.js';
import type { Listing } from '../changeset/index.js';
import type { EffectCommit, Manifest } from '../manifest/index.js';
import type { ConflictChoice } from '../package/index.js';
import { remakes } from '../records/index.js';
import type { MovedId } from '../records/index.js';
import { additionsOf, planSandbox, procedureHostName, viewRoot } from '../sandbox/index.js';
import type { SandboxPlan } from '../sandbox/index.js';
import { bothChanged, mergeWithCare } from './after-merge.js';
import type { AfterMerge } from './after-merge.js';
import { replayInContainer } from './in-container.js';
import type { ReplayViews } from './in-container.js';
import { layerOperations } from './layer-operations.js';
import { movedAccounts, warnOfMoved } from './moved-ids.js';
import type { ReplayReport } from './replay.js';

/** The staged result of a layer for one container. */
interface ServicedByLayer {
  readonly commit: EffectCommit;
  readonly conflicts: readonly BytePath[];
  /** A path for which the two were merged; undefined: that was not necessary. */
  readonly overlap?: BytePath;
}

/** A layer that is applied to the containers on a base. */
export class LayerServicing {
  readonly #touched: TouchedPaths;
  readonly #before: View;
  readonly #after: View;
  readonly #paths: ReadonlySet<BytePath>;
  #moved: readonly MovedId[] | undefined;

  constructor(
    readonly delta: Pick<DeltaLayer, 'listing'>,
    readonly layers: readonly Listing[],
    readonly conflict: ConflictChoice,
    /** Whether a container whose records cannot be merged stays where it is, unless a side was chosen. */
    readonly isStrict = false,
  ) {
    this.#before = new View(layers);
    this.#after = new View([delta.listing, ...layers]);
    this.#touched = new TouchedPaths().add(delta.listing, this.#before);
    this.#paths = covered(this.#after, this.#before, [delta.listing]);
  }

  /**
   * Merges the layer with a container. Where its storages do not overlap what the layer changes it is only pinned.
   * @throws LaminaError refused: they cannot be merged, and conflicts are to be refused
   */
  async service(
    work: Work,
    manifest: Manifest,
    container: string,
    views: ReplayViews,
    location?: RunLocation,
  ): Promise<ServicedByLayer> {
    const storages = await readStorages(work, manifest, container);
    this.#moved ??= this.isStrict ? movedAccounts(views) : [];
    warnOfMoved(container, this.#moved, storages.listings, { before: this.#before, after: this.#after });
    const overlap = this.#overlaps(storages);
    if (overlap === undefined) return { commit: stagePin(work, container, storages, 'skipped'), conflicts: [] };
    const own = new View([...storages.listings, ...this.layers]);
    const { operations, conflicts } = layerOperations({ before: this.#before, after: this.#after, own }, this.#paths, {
      overrule: this.conflict === 'theirs',
      relinks: this.isStrict,
    });
    const runs = [...this.#paths].some((path) => remakes(path) && bothChanged(path, this.#before, this.#after, own));
    const plan = runs ? this.#sandboxPlan(work, own, storages) : undefined;
    const { conflict, isStrict } = this;
    const care: AfterMerge = { container, conflict, isStrict, plan, signal: work.signal, after: views.after };
    const request = {
      delta: this.delta,
      ...{ views, operations, conflict, location, records: true, follows: isStrict },
      additions: plan && additionsOf(plan, procedureHostName),
      around: async (mountpoint: BytePath, run: () => Promise<ReplayReport>) => mergeWithCare(care, mountpoint, run),
    };
    const { commit, report } = await replayInContainer(work, container, storages, request);
    const all = [...new Set([...conflicts, ...report.conflicts, ...report.passed])].sort();
    if (this.conflict === 'fail' && all.length > 0) throw conflicting(container, all, report.reasons);
    return { commit: { ...commit, conflicts: all.length }, conflicts: all, overlap };
  }

  /** Of the root that the container has before the merge. */
  #sandboxPlan({ reader, layers }: Work, own: View, { mountable }: ContainerStorages): SandboxPlan {
    return planSandbox(viewRoot(own.stack, [...mountable, ...reader.mountable(layers)]), { network: false });
  }

  /** A path that the layer changes and at which the container's storages have something. */
  #overlaps({ listings }: ContainerStorages): BytePath | undefined {
    for (const [i, listing] of listings.entries()) {
      const below = new View([...listings.slice(i + 1), ...this.layers]);
      const [first] = this.#touched.hiding(listing, below);
      if (first !== undefined) return first;
    }
    return undefined;
  }
}

function conflicting(container: string, paths: readonly BytePath[], reasons: ReplayReport['reasons']) {
  const named = paths.map((path) => {
    const why = reasons.get(path)?.reason;
    return `/${display(path)}${why === undefined ? '' : ` (${why})`}`;
  });
  return refused(`container '${container}' and the layer have both changed ${someOf(named, 5)}`, {
    code: 'CONFLICT',
    hint: "choose with --conflict: keep keeps the container's and puts the layer's beside it, ours keeps only the container's, theirs takes the layer's",
  });
}
