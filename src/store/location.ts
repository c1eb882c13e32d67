import { fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { absolutePath, environmentText } from '../platform/command-line.js';

/**
 * The store that a command works on: what --store names, else LAMINA_STORE, else /var/lib/lamina, or without root
 * lamina/ in $XDG_DATA_HOME (~/.local/share).
 * @throws LaminaError usage: none of these is set
 */
export function locateStore(
  option: string | undefined,
  environment: (name: string) => string | undefined = environmentText,
): BytePath {
  const named = option ?? environment('LAMINA_STORE');
  if (named === '') throw usage('the name of the store is empty', { hint: 'give a directory with --store' });
  if (named !== undefined) return absolutePath(named);
  if (process.getuid?.() === 0) return fromText('/var/lib/lamina');
  const home = environment('HOME');
  const data = environment('XDG_DATA_HOME') ?? (home === undefined ? undefined : `${home}/.local/share`);
  if (data === undefined)
    throw usage('there is no home directory to keep a store in', { hint: 'give a directory with --store' });
  return absolutePath(`${data}/lamina`);
}
