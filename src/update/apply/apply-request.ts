import type { BytePath } from '../../base/bytes.js';
import type { LaminaError } from '../../base/errors.js';
import type { Update } from '../../manifest/index.js';
import type { ConflictChoice } from '../../package/index.js';
import type { FromChannel } from '../../store/index.js';
import type { ServiceOptions } from '../container/service.js';
import type { Determinism } from '../determinism.js';
import type { Preview } from '../preview/preview-update.js';
import type { Progress } from '../progress.js';

export interface ApplyRequest {
  readonly base: string;
  /** A script, a directory or tar with update.json, or an image with its transport. */
  readonly procedure: BytePath;
  /** Where it is read, if not by its name: `Held.at`. */
  readonly procedureAt?: BytePath | undefined;
  readonly name?: string | undefined;
  /** The name where none is given, or one like it that is free; by default the procedure's. */
  readonly preferredName?: string | undefined;
  /** Only these; undefined: all on the base's head. */
  readonly containers?: readonly string[] | undefined;
  readonly network: boolean;
  readonly timeoutMs?: number | undefined;
  /** Containers serviced side by side; by default one a processor. */
  readonly jobs?: number | undefined;
  /** Also where the procedure provably does in a container what it did on the base. */
  readonly alwaysRun?: boolean | undefined;
  /**
   * What happens when a procedure fails in a container: discard the whole update, or leave that container on its old
   * layer. A container whose own content cannot be read or written always stays there: it must not keep the update
   * from the others.
   */
  readonly onFailure?: 'abort' | 'skip' | undefined;
  /** Called for each container that stays on its old layer. */
  readonly onFailed?: ((container: string, error: LaminaError) => void) | undefined;
  /** Whether the package's health check is run before the update is published; by default it is. */
  readonly health?: boolean | undefined;
  /** Everything but publishing: the result says what would change. */
  readonly dryRun?: boolean | undefined;
  /** For a layer or an image: what happens to a path that both the container and it changed; by default `keep`. */
  readonly conflict?: ConflictChoice | undefined;
  /** Runs on the base twice and reports what differs; the update is made from the first run. */
  readonly checkDeterminism?: boolean | undefined;
  /** Of an image: also where it is another system than the base, or an older one. */
  readonly force?: boolean | undefined;
  /** Of a package's archive, a layer and an image: `ImportOptions.maxBytes`. */
  readonly maxBytes?: number | undefined;
  /**
   * Where the base has had this very procedure already: refuse it, report the update that it made, or apply it again.
   * By default `refuse`.
   */
  readonly repeated?: 'refuse' | 'report' | 'apply' | undefined;
  /** Of an update that comes from a channel: which one it is there. It is published with the update. */
  readonly channel?: FromChannel | undefined;
  readonly signal: AbortSignal;
  /** What mounts the containers in which it runs; by default the store's. The driver always mounts the base. */
  readonly engine?: ServiceOptions['engine'];
  readonly onEngine?: ServiceOptions['onEngine'];
  readonly onOutput?: ServiceOptions['onOutput'];
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The result of an update. `update` is undefined where it changed nothing, anywhere: then none is recorded. */
export interface ApplyResult {
  readonly id: string | undefined;
  readonly update: Update | undefined;
  /** The update already existed; nothing was done. */
  readonly already?: boolean;
  /** Of a dry run. */
  readonly preview?: Preview | undefined;
  readonly determinism?: Determinism | undefined;
}
