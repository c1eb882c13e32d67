import type { BytePath } from '../base/bytes.js';
import { fromText, toBuffer } from '../base/bytes.js';
import { callSync } from './addon.js';

/*
 * Globs over paths as the driver has them (native/filter/glob.h, docs/format.md, "Filter rules"): one matcher for both, which takes no longer than the pattern times the name, whatever
 * either says. A regular expression made of a pattern may take for ever.
 */

const listOf = (texts: readonly string[]) => Buffer.concat(texts.map((text) => toBuffer(`${text}\0` as BytePath)));
const patternsOf = (globs: readonly string[]) => listOf(globs.map(fromText));

/** What is wrong with globs, for people; undefined where nothing is. They hold no NUL. */
export function globFault(globs: readonly string[]): string | undefined {
  const fault = callSync({ operation: 'globFault', subject: { syscall: 'compile globs' }, args: [patternsOf(globs)] });
  return typeof fault === 'number' || fault.length === 0 ? undefined : fault.toString('utf8');
}

/** True of paths that a glob names, and of all below them. @throws SystemError EINVAL where `globFault` has something to say */
export function globMatcher(globs: readonly string[]): (path: BytePath) => boolean {
  if (globs.length === 0) return () => false;
  const patterns = patternsOf(globs);
  return (path) => {
    if (path === '') return false;
    const subject = { syscall: 'match globs', path };
    const answer = callSync({ operation: 'matchGlobs', subject, args: [patterns, listOf([path])] });
    return typeof answer !== 'number' && answer[0] === 1;
  };
}
