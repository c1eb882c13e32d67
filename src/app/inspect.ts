import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound } from '../base/errors.js';
import { compareViews, unknownContents } from '../changeset/index.js';
import type { View } from '../changeset/index.js';
import { baseOf, layerChain, own } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import {
  containersWithSocket,
  findGrantedMounts,
  findKernelMount,
  findMounts,
  isLost,
  pingDriver,
  recordedKernelMounts,
} from '../mount/index.js';
import type { EngineName, FoundMount } from '../mount/index.js';
import { NodeReader, runningCommands } from '../store/index.js';
import type { Running, Store } from '../store/index.js';
import { activeManual } from '../update/index.js';
import { baseData, changeData, containerData, nodesData, updatesData } from '../data/index.js';
import type { BaseData, ChangeData, ContainerData, NodeData, UpdateData } from '../data/index.js';
import { pastList } from './ended-updates.js';
import type { PastData } from './ended-updates.js';

export interface StatusData {
  readonly store: string;
  readonly generation: number;
  readonly bases: readonly BaseData[];
  readonly containers: readonly (ContainerData & {
    /** Its driver is gone: `lamina recover` removes the mount. */
    readonly driverGone: boolean;
  })[];
  /** Containers that are mounted in another mount namespace, or by containerd, and where. */
  readonly elsewhere: readonly {
    readonly container: string;
    readonly mountpoint: string;
    readonly engine: EngineName;
    /** The snapshot as which containerd has mounted it; null: Lamina has. */
    readonly snapshot: string | null;
  }[];
  readonly nodes: readonly NodeData[];
  readonly updates: readonly UpdateData[];
  /** Commands that change the store at this moment, oldest first. */
  readonly running: readonly RunningData[];
  /** Updates being made by hand. */
  readonly servicing: readonly {
    readonly name: string;
    readonly base: string;
    /** Where it was begun. */
    readonly directory: string;
    /** Null: not mounted, or in another mount namespace. */
    readonly mountpoint: string | null;
    readonly state: 'open' | 'interrupted';
  }[];
}

export interface RunningData {
  /** What it does: `update`, `rollback`, `merge` … */
  readonly kind: string;
  readonly base: string | null;
  readonly process: number;
  /** What was typed, without the program. */
  readonly command: string;
  readonly since: string;
}

const runningData = ({ kind, details, process, command, created }: Running): RunningData => ({
  kind,
  base: typeof details['base'] === 'string' ? details['base'] : null,
  process,
  command: command ?? kind,
  since: created,
});

export async function status(store: Store): Promise<StatusData> {
  const manifest = await store.read();
  const mounts = await findMounts(store);
  const lost = new Set<string>();
  for (const { container, mountpoint } of mounts) if (await isLost(mountpoint)) lost.add(container);
  return {
    store: toText(store.paths.root),
    generation: manifest.generation,
    bases: Object.keys(manifest.bases)
      .sort()
      .map((name) => baseData(manifest, name)),
    containers: Object.keys(manifest.containers)
      .sort()
      .map((name) => ({ ...containerData(manifest, name, mounts), driverGone: lost.has(name) })),
    elsewhere: await mountedElsewhere(store, manifest, mounts),
    nodes: nodesData(manifest),
    updates: updatesData(manifest),
    running: (await runningCommands(store)).map(runningData),
    servicing: (await activeManual(store)).map(({ name, base, directory, mountpoint, state }) => ({
      name,
      base,
      directory,
      mountpoint: mountpoint === undefined ? null : toText(mountpoint),
      state,
    })),
  };
}

async function mountedElsewhere(store: Store, manifest: Manifest, here: readonly FoundMount[]) {
  const present = new Set(here.map(({ container }) => container));
  const names = Object.keys(manifest.containers).filter((name) => !present.has(name));
  const found: StatusData['elsewhere'][number][] = [];
  const recorded = new Set(recordedKernelMounts(store));
  const driven = containersWithSocket(store);
  for (const container of names.sort()) {
    const driver = driven.has(container) ? await pingDriver(store.paths.control(container)) : undefined;
    if (driver !== undefined) found.push({ container, mountpoint: driver.mountpoint, engine: 'fuse', snapshot: null });
    const kernel = recorded.has(container) ? findKernelMount(store, manifest, container) : undefined;
    if (kernel !== undefined)
      found.push({ container, mountpoint: toText(kernel.mountpoint), engine: 'kernel', snapshot: null });
  }
  for (const { mountpoint, ...granted } of await findGrantedMounts(store, manifest))
    found.push({ ...granted, mountpoint: toText(mountpoint) });
  return found;
}

export interface UpdateListData {
  readonly updates: readonly UpdateData[];
  /** Only if all were requested: those that ended, newest end first. */
  readonly ended?: readonly PastData[];
}

/** @param all also those that failed, were rolled back or were discarded */
export async function updateList(store: Store, all: boolean): Promise<UpdateListData> {
  const manifest = await store.read();
  const updates = updatesData(manifest);
  return all ? { updates, ended: pastList(store, manifest) } : { updates };
}

/**
 * What differs between two things: containers, bases, nodes (as the view they make). With one argument, what it changes
 * in what it stands on: a container in its layers, a node in those below it.
 */
export async function diff(store: Store, a: string, b: string | undefined): Promise<SizedChangeData[]> {
  const manifest = await store.read();
  const reader = new NodeReader(store, manifest);
  const { from, to } = comparedNodes(manifest, reader, a, b);
  const views = [await viewOf(reader, from), await viewOf(reader, to)] as const;
  if (unknownContents(...views).length > 0)
    throw notFound('the content of a file whose attributes alone were copied up is missing', {
      hint: 'run lamina verify',
    });
  return compareViews(...views).map((change) => ({ ...changeData(change), bytes: sizeAt(views[1], change.path) }));
}

/** A change with the size of the file that is there afterwards; 0: there is none. */
export interface SizedChangeData extends ChangeData {
  readonly bytes: number;
}

function sizeAt(view: View, path: BytePath): number {
  const entry = view.get(path)?.entry;
  return entry?.type === 'file' ? entry.size : 0;
}

/** The stacks that a difference compares, newest node first. */
export function comparedNodes(manifest: Manifest, reader: NodeReader, a: string, b: string | undefined) {
  return b === undefined
    ? { from: belowOf(manifest, reader, a), to: nodesOf(manifest, reader, a) }
    : { from: nodesOf(manifest, reader, a), to: nodesOf(manifest, reader, b) };
}

async function viewOf(reader: NodeReader, ids: readonly NodeId[]): Promise<View> {
  return reader.view(ids);
}

/** Nodes of the view that a name stands for, newest first. */
function nodesOf(manifest: Manifest, reader: NodeReader, name: string): NodeId[] {
  if (own(manifest.containers, name) !== undefined) return reader.container(name);
  if (own(manifest.bases, name) !== undefined) return reader.layers(baseOf(manifest, name).head);
  const node = own(manifest.nodes, name);
  if (node === undefined)
    throw notFound(`there is no container, base or node named '${name}'`, {
      code: 'NO_SUCH',
      hint: 'see lamina status',
    });
  return node.layer === null
    ? layerChain(manifest, name)
    : [...layerChain(manifest, name), ...layerChain(manifest, node.layer)];
}

function belowOf(manifest: Manifest, reader: NodeReader, name: string): NodeId[] {
  const container = own(manifest.containers, name);
  if (container !== undefined) return reader.layers(container.layer);
  const base = own(manifest.bases, name);
  if (base !== undefined) return reader.layers(base.root);
  const below = nodesOf(manifest, reader, name).slice(1);
  if (below.length > 0) return below;
  throw notFound(`node '${name}' has nothing below it to compare it with`, {
    code: 'NOTHING_BELOW',
    hint: 'name a second container, base or node',
  });
}
