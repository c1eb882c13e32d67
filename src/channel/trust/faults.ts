import { LengthOrHashMismatchError, UnsignedMetadataError } from '@tufjs/models/dist/error.js';
import { BadVersionError, ExpiredMetadataError } from 'tuf-js/dist/error.js';
import { LaminaError, isSystemError, messageOf, refused } from '../../base/errors.js';
import { CarrierFailure } from '../carrier/failure.js';

/** Why a channel is not believed; the codes are what programs may rely on. */
export type TrustFault =
  | 'CHANNEL_UNTRUSTED'
  | 'CHANNEL_ROLLED_BACK'
  | 'CHANNEL_EXPIRED'
  | 'CHANNEL_MISMATCH'
  | 'CHANNEL_DAMAGED'
  | 'CHANNEL_INCOMPLETE'
  | 'CHANNEL_CLOCK';

const otherServer =
  'nothing was changed; try again later or another mirror, and report it to the publisher if it stays so';

export function distrust(code: TrustFault, message: string, hint = otherServer, cause?: unknown): LaminaError {
  return refused(message, { code, hint, cause });
}

/** Times of a machine and of a publisher may differ by this much. */
export const clockToleranceMs = 5 * 60_000;

/** What is known of the time when metadata has expired: for the message only. */
export interface Clocks {
  readonly now: Date;
  /** The server's. */
  readonly server: Date | undefined;
}

/** An error of the checks of a role's metadata, as it is shown. */
export function faultOf(error: unknown, role: string, url: string, expires: string | undefined, clocks: Clocks): Error {
  if (error instanceof LaminaError || error instanceof CarrierFailure || isSystemError(error)) return error;
  const what = `the metadata '${role}' of ${url}`;
  if (error instanceof ExpiredMetadataError) return expired(what, role, expires, clocks);
  if (error instanceof UnsignedMetadataError)
    return distrust('CHANNEL_UNTRUSTED', `${what} is not signed by enough of its keys`, undefined, error);
  if (error instanceof BadVersionError)
    return distrust(
      'CHANNEL_ROLLED_BACK',
      `${what} is of another version than it must be (${messageOf(error)})`,
      `the server shows an older state than this machine has seen, or files of two states; ${otherServer}`,
      error,
    );
  if (error instanceof LengthOrHashMismatchError)
    return distrust(
      'CHANNEL_MISMATCH',
      `${what} is not the file that is signed (${messageOf(error)})`,
      undefined,
      error,
    );
  return distrust('CHANNEL_DAMAGED', `${what} is not valid: ${messageOf(error)}`, undefined, error);
}

function expired(what: string, role: string, expires: string | undefined, { now, server }: Clocks): LaminaError {
  const isServerFar = server !== undefined && Math.abs(server.getTime() - now.getTime()) > clockToleranceMs;
  const when = expires === undefined ? '' : ` at ${expires}`;
  const clock = `this machine's clock says ${now.toISOString()}`;
  const other = isServerFar ? `, that of the server ${server.toISOString()}` : '';
  return distrust(
    'CHANNEL_EXPIRED',
    `${what} expired${when}; ${clock}${other}`,
    isServerFar
      ? 'set the clock of this machine; if it is right, the server shows an old state, or the publisher is late'
      : role === 'timestamp'
        ? 'the server shows an old state, or the publisher no longer runs lamina channel refresh; or the clock is wrong'
        : 'the publisher must renew it (lamina channel refresh --all); or the clock of this machine is wrong',
  );
}
