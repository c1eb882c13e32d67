import type { Socket } from 'node:net';
import { peerUserSync } from '../platform/native.js';

/** Of Node.js, which has no other name for the descriptor of a connection. */
interface WithHandle {
  readonly _handle?: { readonly fd?: number } | null;
}

/** The user that connected a unix socket; null: the connection is gone, or is a test's and has no descriptor. */
export function peerUser(socket: Socket): number | null {
  const descriptor = (socket as unknown as WithHandle)._handle?.fd;
  return descriptor === undefined || descriptor < 0 ? null : peerUserSync(descriptor);
}
