import { display, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { warn } from '../base/this-command.js';
import { equalApartFromTimes } from '../changeset/index.js';
import type { View } from '../changeset/index.js';
import type { ConflictChoice } from '../package/index.js';
import { OtherFormat, unsatisfied, unsatisfiedByApk } from '../records/index.js';
import type { Remaking } from '../records/index.js';
import { MountedRoot, failureOf, follow, runInSandbox } from '../sandbox/index.js';
import type { SandboxPlan } from '../sandbox/index.js';
import { Tree } from '../store/index.js';
import type { ReplayReport } from './replay.js';

/** A merge that would leave a container with a root that contradicts itself. */
export const recordConflict = 'RECORD_CONFLICT';

const wayOut =
  'let it stay behind with --on-failure skip, take one side as a whole with --conflict ours or theirs, or make the change with a script, which runs in each container';
const wayOfTools =
  'repair the program in the container, let it stay behind with --on-failure skip, or continue without it by --conflict ours or theirs';

export interface AfterMerge {
  readonly container: string;
  readonly conflict: ConflictChoice;
  /** Whether a conflict of records keeps the container where it is, unless a side was chosen. */
  readonly isStrict: boolean;
  /** Undefined where nothing is to be run. */
  readonly plan: SandboxPlan | undefined;
  readonly signal: AbortSignal;
  /** The base's view after the update. */
  readonly after: BytePath;
}

/** What reads which database of packages. */
const databases: readonly (readonly [BytePath, (database: Uint8Array) => string[]])[] = [
  ['var/lib/dpkg/status' as BytePath, unsatisfied],
  ['lib/apk/db/installed' as BytePath, unsatisfiedByApk],
  ['usr/lib/apk/db/installed' as BytePath, unsatisfiedByApk],
];

/** Whether both the container and the layer changed a path, differently or not. */
export function bothChanged(path: BytePath, before: View, after: View, own: View): boolean {
  return !isSame(before, after, path) && !isSame(before, own, path);
}

function isSame(a: View, b: View, path: BytePath): boolean {
  const [x, y] = [a.get(path), b.get(path)];
  return x === undefined || y === undefined ? x === y : equalApartFromTimes(a, x, b, y);
}

/**
 * Merges in a container's view, and does what the merge leaves to do.
 * @param merge does the merge in the view at `mountpoint`
 * @throws LaminaError refused: the root would contradict itself
 */
export async function mergeWithCare(
  request: AfterMerge,
  mountpoint: BytePath,
  merge: () => Promise<ReplayReport>,
): Promise<ReplayReport> {
  const tree = new Tree(mountpoint);
  const before = packageFaults(tree);
  const report = await merge();
  const { isStrict, conflict, container } = request;
  const decides = isStrict && (conflict === 'keep' || conflict === 'fail');
  const blocking = [...report.reasons]
    .filter(([, { isBlocking }]) => isBlocking)
    .map(([path, { reason }]) => `/${display(path)}: ${reason}`);
  if (decides && blocking.length > 0) throw contradiction(container, blocking);
  if (isStrict && blocking.length > 0)
    warn(`container '${container}' has the records of one side only: ${listed(blocking)}`);
  // What the update itself lacks is not the merge's doing.
  const known = new Set([...(before ?? []), ...(packageFaults(new Tree(request.after)) ?? [])]);
  const faults = (packageFaults(tree) ?? []).filter((fault) => !known.has(fault));
  if (faults.length > 0 && before !== undefined) {
    if (decides) throw contradiction(container, faults);
    warn(`container '${container}': the dependencies of its packages no longer hold: ${listed(faults)}`);
  }
  for (const remaking of report.remade) await remake(request, mountpoint, remaking);
  return report;
}

/** Undefined: it has no database of packages. */
function packageFaults(tree: Tree): string[] | undefined {
  const faults = databases.map(([path, read]) => faultsIn(tree, path, read)).filter((each) => each !== undefined);
  return faults.length === 0 ? undefined : faults.flat();
}

function faultsIn(tree: Tree, path: BytePath, read: (database: Uint8Array) => string[]): string[] | undefined {
  if (!tree.hasDirectories(path)) return undefined;
  const stats = tree.stat(path);
  if (stats?.isFile() !== true || stats.size > limits.mergedRecords.value) return undefined;
  try {
    return read(tree.read(path));
  } catch (error) {
    if (error instanceof OtherFormat) return undefined;
    throw error;
  }
}

function listed(faults: readonly string[]): string {
  const more = faults.length > 8 ? `, and ${faults.length - 8} more` : '';
  return `${faults.slice(0, 8).join('; ')}${more}`;
}

function contradiction(container: string, faults: readonly string[], hint = wayOut) {
  return refused(`container '${container}' and the update cannot be merged: ${listed(faults)}`, {
    code: recordConflict,
    hint,
  });
}

/** The program, and its arguments. */
function commandOf(remaking: Remaking): readonly [string, ...string[]] {
  return remaking.by === 'ldconfig' ? ['sbin/ldconfig'] : ['usr/bin/update-alternatives', '--auto', remaking.name];
}

const longestRemake = 120_000;

async function remake(
  { container, plan, signal, conflict }: AfterMerge,
  mountpoint: BytePath,
  remaking: Remaking,
): Promise<void> {
  const { by } = remaking;
  const [program, ...args] = commandOf(remaking);
  if (plan === undefined || !isThere(mountpoint, program)) {
    warn(
      `container '${container}' has no ${by}, so ${by === 'ldconfig' ? 'its cache' : 'the choice'} was not updated: it lacks what the update brought`,
    );
    return;
  }
  const output: Buffer[] = [];
  const result = await runInSandbox({
    root: mountpoint,
    plan,
    command: [`/${program}`, ...args],
    network: false,
    environment: {},
    shown: new Map(),
    timeoutMs: longestRemake,
    signal,
    onOutput: (chunk) => {
      if (output.length < 100) output.push(chunk);
    },
  });
  signal.throwIfAborted();
  const failure = failureOf(result, longestRemake);
  if (failure === undefined) return;
  const said = display(Buffer.concat(output).toString('latin1').trim().slice(-500));
  const fault = `${by} failed: ${failure}${said === '' ? '' : `; it printed: ${said}`}`;
  if (conflict === 'keep' || conflict === 'fail') throw contradiction(container, [fault], wayOfTools);
  warn(`container '${container}': ${fault}; the files that it makes lack the changes of the update`);
}

function isThere(mountpoint: BytePath, command: string): boolean {
  const root = new MountedRoot(mountpoint);
  try {
    const found = follow(root, command);
    return found.kind === 'found' && found.path !== treeRoot && found.entry.type === 'file';
  } finally {
    root.close();
  }
}
