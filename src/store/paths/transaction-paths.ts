import { join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { displacedPaths } from './displaced-paths.js';
import type { DisplacedPaths } from './displaced-paths.js';
import { imagePaths } from './image-paths.js';
import type { ImagePaths } from './image-paths.js';
import { NodePaths } from './node-paths.js';
import { pastPaths } from './past-paths.js';
import type { PastPaths } from './past-paths.js';
import { runDirectory, runPaths } from './run-paths.js';
import type { RunDirectory, RunPaths } from './run-paths.js';
import { UpdatePaths, catchUpPaths } from './update-paths.js';
import type { CatchUpPaths } from './update-paths.js';

/** What a transaction has staged, and where its runs work. */
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
  get arrivedUpdates(): BytePath {
    return join(this.directory, 'updates');
  }
  /** Becomes updates/<id>, of an update that comes from another store. */
  arrivedUpdate(id: string): UpdatePaths {
    return new UpdatePaths(join(this.arrivedUpdates, id));
  }
  get catchUps(): BytePath {
    return join(this.directory, 'catch-ups');
  }
  /** Becomes the catch-up's part of updates/<id>. @param back as `Transaction.stageCatchUp` */
  catchUp(update: string, back = 0): CatchUpPaths {
    return catchUpPaths(join(this.catchUps, back === 0 ? update : `${update}.${back}`));
  }
  get allDisplaced(): BytePath {
    return join(this.directory, 'asides');
  }
  /** Becomes asides/<id>. */
  displaced(id: string): DisplacedPaths {
    return displacedPaths(join(this.allDisplaced, id));
  }
  get pasts(): BytePath {
    return join(this.directory, 'history');
  }
  /** Becomes history/<update>. */
  past(update: string): PastPaths {
    return pastPaths(join(this.pasts, update));
  }
  get images(): BytePath {
    return join(this.directory, 'images');
  }
  /** Becomes images/<name>. */
  image(configDigest: string): ImagePaths {
    return imagePaths(this.images, configDigest);
  }
  /** Where the blobs of an image are that other programs fetch. */
  get layout(): BytePath {
    return join(this.directory, 'layout');
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
  get manualRuns(): BytePath {
    return join(this.directory, 'hand');
  }
  manualPart(number: number): RunPaths {
    return runPaths(join(this.manualRuns, String(number)));
  }
  /** When its first mount began. */
  get manualSpan(): BytePath {
    return runPaths(this.run('base').directory).span;
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
  /** Where the run of that name is mounted. */
  run(name: string): RunDirectory {
    return runDirectory(join(this.runs, name));
  }
}
