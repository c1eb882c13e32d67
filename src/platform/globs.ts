import type { BytePath } from '../base/bytes.js';
import { fromText, toBuffer } from '../base/bytes.js';
import { callSync } from './addon.js';

/*
 * Globs over paths, the same as in the driver (native/filter/glob.h, docs/format-driver.md, "Filter rules"): one
 * matcher for both, whose time is bounded by pattern length times name length, whatever they contain. A regular
 * expression made from a pattern may take exponential time.
 */

const listOf = (texts: readonly string[]) => Buffer.concat(texts.map((text) => toBuffer(`${text}\0` as BytePath)));
const patternsOf = (globs: readonly string[]) => listOf(globs.map(fromText));

/** The error in globs, for people; undefined: none. They hold no NUL. */
export function globFault(globs: readonly string[]): string | undefined {
  const fault = callSync({ operation: 'globFault', subject: { syscall: 'compile globs' }, args: [patternsOf(globs)] });
  return typeof fault === 'number' || fault.length === 0 ? undefined : fault.toString('utf8');
}

/**
 * True for paths that a glob matches, and all below them. @throws SystemError EINVAL where `globFault` reports an error
 */
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
