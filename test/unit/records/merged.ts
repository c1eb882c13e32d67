import { fromText } from '../../../src/base/bytes.js';
import { mergeRecords } from '../../../src/records/index.js';

export const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

/** The merged text, or the reason why not; undefined: it is left to a merge by lines. */
export function merged(path: string, base: string | undefined, ours: string, theirs: string): string | undefined {
  const versions = { base: base === undefined ? undefined : bytes(base), ours: bytes(ours), theirs: bytes(theirs) };
  const result = mergeRecords(fromText(path), versions);
  if (result?.kind === 'merged') return Buffer.from(result.content).toString('utf8');
  return result?.kind === 'conflict' ? `${result.isBlocking ? 'blocked' : 'conflict'}: ${result.reason}` : undefined;
}
