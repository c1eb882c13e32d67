import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { display, toBuffer, toText } from '../../base/bytes.js';
import { messageOf, refused, usage } from '../../base/errors.js';
import { absolutePath, environmentText } from '../../platform/command-line.js';
import { openFlags } from '../../platform/open-flags.js';

/** Where a server is. */
export type RemoteAddress =
  | { readonly kind: 'unix'; readonly socket: string }
  | { readonly kind: 'http' | 'https'; readonly host: string; readonly port: number };

const hint = 'give unix:PATH, http://127.0.0.1:PORT, or https://HOST[:PORT]';

/** @throws LaminaError usage; refused: a token would cross the network in clear text */
export function parseRemote(text: string): RemoteAddress {
  if (text.startsWith('unix:') && text.length > 'unix:'.length)
    return { kind: 'unix', socket: toText(absolutePath(text.slice('unix:'.length))) };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const kind = url?.protocol === 'http:' ? 'http' : url?.protocol === 'https:' ? 'https' : undefined;
  const isPlain = url?.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (url === undefined || kind === undefined || !isPlain)
    throw usage(`--remote ${display(text)}: not the address of a server`, { hint });
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (kind === 'http' && !['127.0.0.1', 'localhost', '::1'].includes(host))
    throw refused(`${display(text)} is on another machine, and http would show the token to the network`, {
      code: 'CLEAR_TEXT',
      hint: 'reach it by https, or forward its port with ssh -L',
    });
  return { kind, host, port: url.port === '' ? (kind === 'http' ? 80 : 443) : Number(url.port) };
}

/**
 * The token for a server, from the file that LAMINA_TOKEN_FILE names: its first word, or the second of a line of the
 * server's own file. Undefined: none is set.
 * @throws LaminaError usage: it cannot be read, or is empty; refused: others may read it
 */
export function remoteToken(): string | undefined {
  const file = environmentText('LAMINA_TOKEN_FILE');
  if (file === undefined || file === '') return undefined;
  const path = absolutePath(file);
  const shown = display(path);
  let text: string;
  try {
    const descriptor = openSync(toBuffer(path), openFlags.read);
    try {
      if ((fstatSync(descriptor).mode & 0o077) !== 0)
        throw refused(`other users may read the token in ${shown}`, {
          code: 'TOKEN_FILE_EXPOSED',
          hint: `chmod 0600 ${shown}, and replace the token, which others may know`,
        });
      text = readFileSync(descriptor, 'latin1');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error instanceof Error && 'kind' in error) throw error;
    throw usage(`cannot read the token file ${shown} (LAMINA_TOKEN_FILE): ${messageOf(error)}`, { cause: error });
  }
  const words =
    text
      .split('\n')
      .find((line) => !/^\s*(#|$)/.test(line))
      ?.trim()
      .split(/\s+/) ?? [];
  const token = words[1] ?? words[0];
  if (token !== undefined) return token;
  throw usage(`the token file ${shown} (LAMINA_TOKEN_FILE) is empty`, { hint: 'write the token into it' });
}
