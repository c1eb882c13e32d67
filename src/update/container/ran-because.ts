import { dirname, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { pathsOf, readJournal, readLines } from '../../journal/index.js';
import type { ReadKind, ReadLine, RecordedOperation } from '../../journal/index.js';
import type { RanBecauseOf, RunPaths } from '../../store/index.js';

/** A path at which a container overlaps an update, so that the update must run there. */
export interface Overlap {
  readonly path: BytePath;
  /** What depends on it: what was run on the base; the sandbox, which would differ; a layer, which changes it. */
  readonly by: 'run' | 'sandbox' | 'layer';
}

export function overlapAt(path: BytePath | undefined, by: Overlap['by']): Overlap | undefined {
  return path === undefined ? undefined : { path, by };
}

const tried = 'remove-or-rename';
/** What the kinds of a read set are called (docs/format-driver.md). */
const actions: Readonly<Record<ReadKind, string>> = {
  found: 'lookup',
  absent: 'lookup',
  listed: 'list',
  opened: 'open',
  link: 'readlink',
  xattr: 'xattr',
  whole: tried,
};
/** Operations on a directory that affect all below it. */
const onWhole = new Set(['rename', 'exchange', 'rmdir']);
const longest = 16;

type Did = RanBecauseOf['did'][number];

/** What runs on a base did with paths: each run is read once, however many paths there are. */
class RecordedActions {
  readonly #found = new Map<BytePath, { readonly at: Map<string, Did>; below: Did | undefined }>();
  /** The requested paths, by every directory above them. */
  readonly #below = new Map<BytePath, BytePath[]>();

  constructor(paths: Iterable<BytePath>) {
    for (const path of new Set(paths)) {
      this.#found.set(path, { at: new Map(), below: undefined });
      for (const above of directoriesAbove(path)) this.#below.set(above, [...(this.#below.get(above) ?? []), path]);
    }
  }

  /** A lookup is not reported where more was done; nor is an attempt where the operation was done. */
  of(path: BytePath): readonly Did[] {
    const { at, below } = this.#found.get(path) ?? { at: new Map<string, Did>(), below: undefined };
    const all = [...at.values()];
    const more = all.filter(({ action }) => action !== 'lookup');
    if (more.length === 0) return below === undefined ? all : [...all, below];
    const moved = more.some(({ action }) => onWhole.has(action));
    return more.filter(({ action }) => !moved || action !== tried).slice(0, longest);
  }

  addRead({ path: at, kinds }: ReadLine): void {
    for (const kind of kinds) {
      const action = actions[kind];
      this.#add(at, action, at);
      for (const below of this.#below.get(at) ?? [])
        if (kind === 'whole' || (kind === 'listed' && dirname(below) === at)) this.#add(below, action, at);
    }
  }

  addOperation(operation: RecordedOperation): void {
    const action = operation.operation;
    for (const at of pathsOf(operation)) {
      this.#add(at, action, at);
      if (onWhole.has(action)) for (const below of this.#below.get(at) ?? []) this.#add(below, action, at);
      // The container may have replaced a directory.
      for (const above of directoriesAbove(at)) {
        const found = this.#found.get(above);
        if (found !== undefined) found.below ??= { action, path: toText(at) };
      }
    }
  }

  #add(requested: BytePath, action: string, path: BytePath): void {
    this.#found.get(requested)?.at.set(`${action} ${path}`, { action, path: toText(path) });
  }
}

function directoriesAbove(path: BytePath): BytePath[] {
  const above: BytePath[] = [];
  for (let at = path; at !== '';) above.push((at = dirname(at)));
  return above;
}

/**
 * Why a procedure was run in containers, by container: what the runs on the base did with the paths, according to their
 * read sets and journals.
 * @throws LaminaError damaged: a read set or a journal
 */
export async function ranBecauseOf(
  runs: readonly Recorded[],
  overlaps: ReadonlyMap<string, Overlap>,
): Promise<Map<string, RanBecauseOf>> {
  const recorded = new RecordedActions([...overlaps.values()].map(({ path }) => path));
  for (const run of overlaps.size === 0 ? [] : runs) await addRun(recorded, run);
  const reasonFor = ({ path, by }: Overlap): RanBecauseOf => {
    const text = toText(path);
    return { path: text, did: by === 'run' ? recorded.of(path) : [{ action: by, path: text }] };
  };
  return new Map([...overlaps].map(([container, each]) => [container, reasonFor(each)]));
}

/** Without a read set what was read does not matter: a manual update is what was done. */
type Recorded = Pick<RunPaths, 'journal'> & Partial<Pick<RunPaths, 'reads'>>;

/** Updates of earlier versions may have no read set. */
async function addRun(recorded: RecordedActions, { reads, journal }: Recorded): Promise<void> {
  for (const add of [
    async () => (reads === undefined ? [] : await readLines(reads)).forEach((line) => recorded.addRead(line)),
    async () => {
      for await (const line of readJournal(journal)) recorded.addOperation(line);
    },
  ]) {
    try {
      await add();
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
  }
}
