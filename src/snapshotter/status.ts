import { status } from '@grpc/grpc-js';
import { toLaminaError } from '../base/errors.js';
import type { ErrorKind, LaminaError } from '../base/errors.js';

/**
 * The codes that containerd reads errors from (github.com/containerd/errdefs, errgrpc): it tolerates
 * FAILED_PRECONDITION when it collects garbage, and takes ALREADY_EXISTS for a layer that need not be unpacked.
 */
const codes: Readonly<Record<ErrorKind, status>> = {
  failed: status.INTERNAL,
  usage: status.INVALID_ARGUMENT,
  notFound: status.NOT_FOUND,
  refused: status.FAILED_PRECONDITION,
  damaged: status.DATA_LOSS,
};

const byCode: Readonly<Record<string, status>> = {
  SNAPSHOT_EXISTS: status.ALREADY_EXISTS,
  // The store is gone, which is no answer about a snapshot.
  NO_STORE: status.UNAVAILABLE,
  STORE_BUSY: status.UNAVAILABLE,
  NO_SPACE: status.RESOURCE_EXHAUSTED,
};

/** What gRPC sends of anything that was thrown. */
export interface Failure {
  readonly code: status;
  readonly details: string;
}

export function failureOf(thrown: unknown): { readonly failure: Failure; readonly error: LaminaError } {
  const error = toLaminaError(thrown);
  const { kind, code, message, hint } = error;
  const details = hint === undefined ? message : `${message}; ${hint}`;
  return {
    failure: { code: byCode[code] ?? codes[kind], details: wellFormed(details.slice(0, longestDetails)) },
    error,
  };
}

/** gRPC sends details by encodeURI, which throws at half of a surrogate pair. */
const wellFormed = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');

/** Details are sent as a header, of which HTTP/2 clients take a few KiB. */
const longestDetails = 2000;
