import picomatch from 'picomatch';
import type { BytePath } from '../base/bytes.js';
import { fromText } from '../base/bytes.js';

/** True of paths that a glob names, and of all below them, as filter rules mean it (docs/format.md, "Filter rules"). */
export function globMatcher(globs: readonly string[]): (path: BytePath) => boolean {
  if (globs.length === 0) return () => false;
  const options = { dot: true, nonegate: true, noextglob: true };
  const matchers = globs.map((glob) => picomatch(fromText(glob.replace(/^\//, '')), options));
  return (path) => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
      const part = path.slice(0, end);
      if (matchers.some((matches) => matches(part))) return true;
    }
    return false;
  };
}
