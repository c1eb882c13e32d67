import { notFound } from '../base/errors.js';
import { StepCount } from '../base/steps.js';
import type { OnStep } from '../base/steps.js';
import { layerChain, own, stackOf } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { namesIn } from '../store/index.js';
import type { Store } from '../store/index.js';
import { mountFaults, readNames } from './disk.js';
import type { Fault, Finding, Removable } from './finding.js';
import { inheritedLists } from './inherited.js';
import { nameFaults } from './name-faults.js';
import { checkNode } from './check-node.js';
import { repair } from './repair.js';
import type { Repairs } from './repair.js';
import { standingOf } from './standing.js';

export interface VerifyOptions {
  /** Node ids, containers (with everything below them) and bases; none: the whole store. */
  readonly nodes: readonly string[];
  /** Names, attributes and sizes only: no contents are read. */
  readonly quick: boolean;
  /** Repairs what can be repaired without losing anything. */
  readonly repair: boolean;
  readonly signal: AbortSignal;
  /** Of nodes whose trees are compared. */
  readonly onStep?: OnStep | undefined;
}

export interface VerifyReport {
  readonly findings: readonly Finding[];
  /** Sealed nodes whose trees were compared, with the entries they hold. */
  readonly nodes: number;
  readonly entries: number;
}

/** The state of the whole store at one moment. */
interface Survey {
  readonly manifest: Manifest | undefined;
  /** False: the manifest breaks rules, so that it does not show what is left over. */
  readonly sound: boolean;
  readonly faults: readonly Removable[];
}

/**
 * Searches for faults: in the manifest, in the trees of sealed nodes, and among all names in the store. Commands may
 * run meanwhile: the store is kept from changing only while names are read, and what they remove is not reported as
 * missing.
 * @throws LaminaError notFound: no such node, container or base
 */
export async function verify(store: Store, options: VerifyOptions): Promise<VerifyReport> {
  const { manifest, sound, faults } = await survey(store);
  if (manifest === undefined)
    return { findings: faults.map((fault) => finding(fault, undefined)), nodes: 0, entries: 0 };
  const wanted = wantedNodes(manifest, options.nodes);
  const ids = wanted.filter((id) => own(manifest.nodes, id)?.sealed === true);
  const trees = await checkTrees(store, manifest, ids, options);
  const concerned = options.nodes.length === 0 ? faults : faults.filter(({ subject }) => wanted.includes(subject));
  const inherited = sound ? await inheritedFaults(store, manifest, wanted, options.signal) : [];
  const all = [...concerned, ...(await stillTrue(store, trees.faults)), ...inherited];
  const done = options.repair && sound ? await repair(store, all, trees) : new Set<Fault>();
  const entries = ids.reduce((sum, id) => sum + (own(manifest.nodes, id)?.entries ?? 0), 0);
  return {
    findings: all.map((fault) => ({ ...finding(fault, manifest), repaired: done.has(fault) })),
    nodes: ids.length,
    entries,
  };
}

function finding(fault: Fault, manifest: Manifest | undefined): Finding {
  const { code, severity, subject, path, message, repair: mends } = fault;
  const standing = manifest === undefined ? { containers: [], updates: [] } : standingOf(manifest)(subject);
  return {
    ...{ code, severity, subject, message, ...standing, repaired: false },
    ...(path === undefined ? {} : { path }),
    ...(mends === undefined ? {} : { repair: mends }),
  };
}

async function survey(store: Store): Promise<Survey> {
  return store.examine(async (found): Promise<Survey> => {
    if (found.manifest === undefined) {
      const { code, message } = found.unreadable;
      return {
        manifest: undefined,
        sound: false,
        faults: [{ code, severity: 'damage', subject: 'manifest.json', message }],
      };
    }
    const { manifest, broken } = found;
    const names = await readNames(store.paths, manifest);
    const graph = broken.map((each): Fault => ({ ...each, severity: 'damage' }));
    return {
      manifest,
      sound: broken.length === 0,
      faults: [...graph, ...nameFaults(manifest, names), ...(await mountFaults(store, manifest, names))],
    };
  });
}

function wantedNodes(manifest: Manifest, names: readonly string[]): NodeId[] {
  if (names.length === 0) return Object.keys(manifest.nodes).sort();
  return [...new Set(names.flatMap((name) => nodesOf(manifest, name)))];
}

function nodesOf(manifest: Manifest, name: string): readonly NodeId[] {
  if (own(manifest.nodes, name) !== undefined) return [name];
  if (own(manifest.containers, name) !== undefined) return stackOf(manifest, name).nodes;
  const base = own(manifest.bases, name);
  if (base !== undefined) return layerChain(manifest, base.head);
  throw notFound(`there is no node, container or base named '${name}'`, { code: 'NO_SUCH', hint: 'see lamina status' });
}

interface Trees extends Repairs {
  readonly faults: readonly Fault[];
}

async function checkTrees(
  store: Store,
  manifest: Manifest,
  ids: readonly NodeId[],
  { quick, signal, onStep }: VerifyOptions,
): Promise<Trees> {
  const faults: Fault[] = [];
  const indexes = new Map<NodeId, Buffer>();
  const steps = new StepCount(onStep);
  steps.expect(ids.length);
  for (const id of ids) {
    const node = own(manifest.nodes, id);
    if (node === undefined) continue;
    steps.begin(id);
    const report = await checkNode({ id, node, paths: store.paths.node(id), quick, signal });
    faults.push(...report.faults);
    if (report.index !== undefined) indexes.set(id, report.index);
    steps.end();
  }
  return { faults, indexes };
}

async function inheritedFaults(
  store: Store,
  manifest: Manifest,
  wanted: readonly NodeId[],
  signal: AbortSignal,
): Promise<Fault[]> {
  const faults = new Map<string, Fault>();
  for (const container of Object.keys(manifest.containers).sort()) {
    signal.throwIfAborted();
    for (const fault of await inheritedLists(store, manifest, container))
      if (wanted.includes(fault.subject)) faults.set(`${fault.subject}/${fault.path ?? ''}`, fault);
  }
  return [...faults.values()];
}

/** Without those of nodes that were removed, or unsealed, while their trees were read. */
async function stillTrue(store: Store, faults: readonly Fault[]): Promise<readonly Fault[]> {
  if (faults.length === 0) return faults;
  return store.examine(async ({ manifest }) => {
    // What a command stages shares inodes with what it replaces.
    const isAtWork = namesIn(store.paths.transactions).length > 0;
    const left = faults.filter(({ code }) => !(isAtWork && code === 'LINK_COUNT'));
    return Promise.resolve(
      left.filter(({ subject }) => manifest === undefined || own(manifest.nodes, subject)?.sealed === true),
    );
  });
}

/** Whether a report has damage that was not repaired. */
export function isDamaged({ findings }: VerifyReport): boolean {
  return findings.some(({ severity, repaired }) => severity === 'damage' && !repaired);
}
