import { display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, usage } from '../base/errors.js';
import { pathsOf } from '../journal/index.js';
import type { LoggedOperation } from '../journal/index.js';
import { updateNamed } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { globFault, globMatcher } from '../platform/globs.js';
import { ranUnrecorded, readUpdateJournal } from '../provenance/index.js';
import type { Store } from '../store/index.js';

export type { LoggedOperation };

export interface LogOptions {
  /** Of the run for this container; undefined: of the run on the base. */
  readonly container?: string | undefined;
  /** Only operations on paths that this glob matches, or below them. */
  readonly glob?: string | undefined;
}

export interface LogData {
  readonly operations: readonly LoggedOperation[];
  /** False where the procedure did not run: in a container that was skipped. */
  readonly ran: boolean;
  /** False where it did not run, or ran by the kernel, which records nothing. */
  readonly recorded: boolean;
}

/** The recorded operations of an update, in their order. @throws LaminaError notFound */
export async function log(store: Store, name: string, { container, glob }: LogOptions): Promise<LogData> {
  const { id } = servicedBy(await store.read(), name, container);
  const journal = await readUpdateJournal(store, id, container);
  const matches = glob === undefined ? () => true : matcherOf(glob);
  const operations = (journal ?? []).filter((each) => pathsOf(each).some(matches)).map(({ logged }) => logged);
  const recorded = journal !== undefined;
  const ran = recorded || (container !== undefined && ranUnrecorded(store, id, container));
  return { operations, ran, recorded };
}

/** An update that serviced a container, if one is given. @throws LaminaError notFound */
export function servicedBy(manifest: Manifest, name: string, container: string | undefined): { readonly id: string } {
  const { id, update } = updateNamed(manifest, name);
  if (container === undefined || update.effects.some((effect) => effect.container === container)) return { id };
  throw notFound(`update '${name}' did not service container '${display(fromText(container))}'`, {
    hint: `see lamina update show ${name}`,
  });
}

/** A glob of the user, with or without the first slash. */
function matcherOf(glob: string): (path: BytePath) => boolean {
  const globs = [glob.startsWith('/') ? glob : `/${glob}`];
  const fault = globFault(globs);
  if (fault !== undefined) throw usage(fault, { hint: 'docs/format-driver.md, "Filter rules", describes patterns' });
  return globMatcher(globs);
}
