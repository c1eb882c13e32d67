import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { failed, messageOf, usage } from '../base/errors.js';

/** @throws LaminaError usage */
export function hostAndPort(at: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits = ''] = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(at) ?? [];
  const port = Number(digits);
  if (digits !== '' && port <= 65_535) return { host: bracketed ?? plain ?? '127.0.0.1', port };
  throw usage(`--listen ${at.slice(0, 100)}: not an address`, {
    hint: 'give [HOST:]PORT, such as 8080 (on the loopback only), 0.0.0.0:8080 or [::]:8080',
  });
}

/**
 * Has a server listen.
 * @returns `http://HOST:PORT`, or the path of a socket
 * @throws LaminaError failed: it cannot
 */
export async function listening(
  server: Server,
  where: { path: string } | { host: string; port: number },
): Promise<string> {
  const at = 'path' in where ? where.path : `${where.host}:${where.port}`;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw failed(`cannot listen at ${at}: ${messageOf(error)}`, {
      code: 'CANNOT_LISTEN',
      hint: 'choose another address with --listen',
      cause: error,
    });
  }
  const found = server.address();
  return found === null || typeof found === 'string' ? at : addressOf(found);
}

function addressOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
