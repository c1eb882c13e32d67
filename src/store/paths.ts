import { fromText, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** Every name below STORE (docs/format.md). No other code spells them. */
export class StorePaths {
  constructor(readonly root: BytePath) {}

  get manifest(): BytePath {
    return join(this.root, 'manifest.json');
  }
  /** The last manifest of an older version of the format. */
  olderManifest(version: number): BytePath {
    return join(this.root, `manifest-v${version}.json`);
  }
  get lock(): BytePath {
    return join(this.root, 'lock');
  }
  /** Exists where the store has its owner's subordinate ids too; names the process that holds the user namespace. */
  get users(): BytePath {
    return join(this.root, 'users');
  }
  get nodes(): BytePath {
    return join(this.root, 'nodes');
  }
  get updates(): BytePath {
    return join(this.root, 'updates');
  }
  get transactions(): BytePath {
    return join(this.root, 'transactions');
  }
  get asides(): BytePath {
    return join(this.root, 'asides');
  }
  /** Of updates that ended: what they were, why they ended, and what `update redo` needs. */
  get history(): BytePath {
    return join(this.root, 'history');
  }
  get mounts(): BytePath {
    return join(this.root, 'mounts');
  }
  node(id: string): NodePaths {
    return new NodePaths(join(this.nodes, id));
  }
  update(id: string): UpdatePaths {
    return new UpdatePaths(join(this.updates, id));
  }
  transaction(id: string): TransactionPaths {
    return new TransactionPaths(join(this.transactions, id));
  }
  aside(id: string): AsidePaths {
    return asidePaths(join(this.asides, id));
  }
  past(update: string): PastPaths {
    return pastPaths(join(this.history, update));
  }
  /** Where `run` mounts a container while its command runs; the lock is held as long. */
  runMount(id: string): { readonly mountpoint: BytePath; readonly lock: BytePath } {
    return { mountpoint: join(this.mounts, id), lock: join(this.mounts, `${id}.lock`) };
  }
  /** The control socket of a container's mount. */
  control(container: string): BytePath {
    return join(this.mounts, `${fromText(container)}.sock`);
  }
}

/** What a rollback displaced in one container. */
export interface AsidePaths {
  readonly directory: BytePath;
  readonly tree: BytePath;
  readonly description: BytePath;
  /** The generation of the manifest that the rollback made, as a decimal number. */
  readonly generation: BytePath;
}

function asidePaths(directory: BytePath): AsidePaths {
  const description = join(directory, 'aside.json');
  return { directory, tree: join(directory, 'tree'), description, generation: join(directory, 'generation') };
}

/** The record of an update that ended. */
export interface PastPaths {
  readonly directory: BytePath;
  readonly record: BytePath;
  /** Of what was published and rolled back: the generation of the manifest that the rollback made, as a decimal number. */
  readonly generation: BytePath;
  readonly procedure: BytePath;
  readonly settings: BytePath;
  readonly report: BytePath;
}

function pastPaths(directory: BytePath): PastPaths {
  const { procedure, settings, report } = new UpdatePaths(directory);
  const [record, generation] = [join(directory, 'record.json'), join(directory, 'generation')];
  return { directory, record, generation, procedure, settings, report };
}

/** The content of a node's directory. */
export class NodePaths {
  constructor(readonly directory: BytePath) {}
  get tree(): BytePath {
    return join(this.directory, 'tree');
  }
  get work(): BytePath {
    return join(this.directory, 'work');
  }
  get index(): BytePath {
    return join(this.directory, 'index');
  }
  /** Of a folded node: which update made what in it. */
  /** Valid only while the tree does not change. */
  get ofSealed(): readonly BytePath[] {
    return [this.index, this.origins];
  }

  get origins(): BytePath {
    return join(this.directory, 'origins.json');
  }
}

/** The records of one run of a procedure. */
export interface RunPaths {
  readonly directory: BytePath;
  readonly output: BytePath;
  readonly journal: BytePath;
  readonly reads: BytePath;
  /** When it wrote. */
  readonly span: BytePath;
}

function runPaths(directory: BytePath): RunPaths {
  return {
    directory,
    output: join(directory, 'output.log'),
    journal: join(directory, 'journal.ndjson'),
    reads: join(directory, 'reads.ndjson'),
    span: join(directory, 'span.json'),
  };
}

export class UpdatePaths {
  constructor(readonly directory: BytePath) {}
  /** The script, or the directory of a package. */
  get procedure(): BytePath {
    return join(this.directory, 'procedure');
  }
  get report(): BytePath {
    return join(this.directory, 'report.json');
  }
  /** How it was applied, beyond what the procedure states. */
  get settings(): BytePath {
    return join(this.directory, 'settings.json');
  }
  /** Of the run on the base, or for a container. */
  run(container?: string): RunPaths {
    const directory =
      container === undefined ? join(this.directory, 'base') : join(this.directory, 'containers', fromText(container));
    return runPaths(directory);
  }
  /**
   * What the catch-up of a container left of this update; its report was published with the manifest of that
   * generation.
   */
  catchUp(generation: number): CatchUpPaths {
    return catchUpPaths(join(this.directory, `catch-up-${generation}`));
  }
}

/** The run of an update's procedure in a container that was caught up, and its result. */
export interface CatchUpPaths extends RunPaths {
  readonly description: BytePath;
}

function catchUpPaths(directory: BytePath): CatchUpPaths {
  return { ...runPaths(directory), description: join(directory, 'catch-up.json') };
}

/** The generation that a name in the directory of an update is for; undefined: not the name of a catch-up. */
export function catchUpGeneration(name: string): number | undefined {
  const digits = /^catch-up-(\d{1,15})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export class TransactionPaths {
  constructor(readonly directory: BytePath) {}
  get description(): BytePath {
    return join(this.directory, 'transaction.json');
  }
  get lock(): BytePath {
    return join(this.directory, 'lock');
  }
  get nodes(): BytePath {
    return join(this.directory, 'nodes');
  }
  get indexes(): BytePath {
    return join(this.directory, 'indexes');
  }
  get update(): UpdatePaths {
    return new UpdatePaths(join(this.directory, 'update'));
  }
  node(id: string): NodePaths {
    return new NodePaths(join(this.nodes, id));
  }
  get catchUps(): BytePath {
    return join(this.directory, 'catch-ups');
  }
  /** Becomes the catch-up's part of updates/<id>. */
  catchUp(update: string): CatchUpPaths {
    return catchUpPaths(join(this.catchUps, update));
  }
  get asides(): BytePath {
    return join(this.directory, 'asides');
  }
  /** Becomes asides/<id>. */
  aside(id: string): AsidePaths {
    return asidePaths(join(this.asides, id));
  }
  get pasts(): BytePath {
    return join(this.directory, 'history');
  }
  /** Becomes history/<update>. */
  past(update: string): PastPaths {
    return pastPaths(join(this.pasts, update));
  }
  /** Describes an update that is being applied: for its record if it fails. */
  get attempt(): BytePath {
    return join(this.directory, 'attempt.json');
  }
  /** The index of a storage that the transaction will seal. */
  index(id: string): BytePath {
    return join(this.indexes, id);
  }
  /** What an update by hand records, in a directory for each mount that it has had. */
  get hand(): BytePath {
    return join(this.directory, 'hand');
  }
  handPart(number: number): RunPaths {
    return runPaths(join(this.hand, String(number)));
  }
  /** When its first mount began. */
  get handSpan(): BytePath {
    return join(this.run('base').directory, 'span.json');
  }
  /** While an update by hand is committed: the id that it will have. */
  get committing(): BytePath {
    return join(this.directory, 'committing');
  }
  /** Of the second run on the base that only `--check-determinism` makes: it is removed with the transaction. */
  get secondRun(): RunPaths {
    return runPaths(join(this.runs, 'base-again'));
  }
  get runs(): BytePath {
    return join(this.directory, 'runs');
  }
  /** The mount point of a run, and the directories of its mount. */
  run(name: string): {
    readonly directory: BytePath;
    readonly mountpoint: BytePath;
    readonly filter: BytePath;
    readonly control: BytePath;
  } {
    const directory = join(this.runs, name);
    return {
      directory,
      mountpoint: join(directory, 'root'),
      filter: join(directory, 'filter.json'),
      control: join(directory, 'control.sock'),
    };
  }
}
