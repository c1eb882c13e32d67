import type { BytePath } from '../base/bytes.js';
import type { Listing } from './model.js';
import type { View } from './view.js';

/**
 * All paths at which two views can differ whose stacks differ only in the layers `changed` (DESIGN: covered): what these layers list, all below their
 * whiteouts, opaque, replacing and redirected directories, what other layers' redirects and metacopies lead into them, and all other names of a
 * hard-link group of which one is covered.
 */
export function covered(_a: View, _b: View, _changed: Iterable<Listing>): Set<BytePath> {
  throw new Error('not yet');
}
