import { LaminaError } from '../../base/errors.js';
import type { ErrorOptions } from '../../base/errors.js';

/** A carrier that failed. `transient`: the same request may succeed later. */
export class CarrierFailure extends LaminaError {
  readonly transient: boolean;
  /** The server asked for this pause before the next request; undefined: it did not. Milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: CarrierFault,
    message: string,
    options: Omit<ErrorOptions, 'code'> & { transient?: boolean; retryAfterMs?: number | undefined } = {},
  ) {
    super('failed', message, { hint: hints[code], ...options, code });
    this.transient = options.transient ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

export type CarrierFault = keyof typeof hints;

const hints = {
  CHANNEL_UNREACHABLE: 'check the address and the network, then try again; received data is kept',
  CHANNEL_TIMEOUT: 'try again later; received data is kept',
  CHANNEL_BUSY: 'try again later',
  CHANNEL_LOGIN: 'log in to the registry (podman login, skopeo login), or name the auth file in REGISTRY_AUTH_FILE',
  CHANNEL_TOO_LONG: 'the server does not send the channel: try another mirror, and report the server to its operator',
  CHANNEL_READ_ONLY: 'write to a directory or to oci://REGISTRY/REPOSITORY, and let the server serve that',
} as const;
