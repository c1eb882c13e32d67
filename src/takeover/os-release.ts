import { printable } from '../base/bytes.js';
import { osReleaseOf } from '../sandbox/index.js';
import type { RootReader } from '../sandbox/index.js';

/** What a root says that it is; undefined: nothing. */
export function systemOf(root: RootReader): string | undefined {
  const release = osReleaseOf(root);
  const value = (key: string) => release.get(key) ?? '';
  const name = value('PRETTY_NAME') || `${value('NAME') || value('ID')} ${value('VERSION_ID')}`.trim();
  return name === '' ? undefined : printable(name.slice(0, 100));
}
