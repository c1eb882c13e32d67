import type { BytePath } from '../../base/bytes.js';

/** Carries a channel's files: nothing that it delivers is trusted before its signatures are checked. */
export interface Carrier {
  /** As the person gave it. */
  readonly url: string;
  readonly patience: Patience;
  /** Where its files lie on this machine; other carriers lack it. */
  readonly directory?: BytePath;
  /**
   * Reads one file, in one attempt: `readSmall` and `downloadTo` try again what failed for a moment.
   * @param path below the channel, for example `metadata/timestamp.json`
   * @throws LaminaError failed: it cannot be reached or read (CHANNEL_UNREACHABLE), does not answer in time
   * (CHANNEL_TIMEOUT), asks to wait for longer than a command waits (CHANNEL_BUSY), requires another login
   * (CHANNEL_LOGIN), or sends more than `maxBytes` (CHANNEL_TOO_LONG); the iteration of the bytes throws the same
   */
  read(path: string, options: ReadOptions): Promise<ReadResult>;
  /**
   * Writes one file; where it is there, it is replaced in one step. Carriers that only read lack it.
   * @throws LaminaError failed as `read`
   */
  write?(path: string, bytes: Uint8Array, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** The paths of the files below a directory, for example `reports`; none where it does not exist. */
  list?(directory: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<string>;
  /**
   * Removes one file; a missing one is no error. Carriers that only read lack it.
   * @throws LaminaError failed as `read`; refused (CHANNEL_KEEPS): the registry does not allow it
   */
  remove?(path: string, signal?: AbortSignal): Promise<void>;
  /**
   * Copies a state of a channel there: a reader sees the old one or the new one. Files that are there already are not
   * sent again.
   * @param files targets and metadata, in the order in which they may become visible
   * @returns what was sent
   */
  push?(files: readonly PublishedFile[], options: PushOptions): Promise<Sent>;
}

export interface PushOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called as files are sent, and for those that are there already. @param bytes of the file that are there now */
  readonly onFile?: ((path: string, bytes: number) => void) | undefined;
}

export interface ReadOptions {
  /** More is an error. */
  readonly maxBytes: number;
  /** From an earlier read: if the file is still the same, the answer is `unchanged`. */
  readonly etag?: string | undefined;
  /** The first byte that is wanted, by default 0. */
  readonly from?: number;
  readonly signal?: AbortSignal | undefined;
}

export type ReadResult =
  | { readonly status: 'unchanged' }
  | { readonly status: 'absent' }
  | {
      readonly status: 'found';
      /** From `from` on. Must be read to its end, or left by `return`. */
      readonly bytes: AsyncIterable<Uint8Array>;
      readonly etag?: string | undefined;
      /** Of the whole file, where the carrier says it. */
      readonly size?: number | undefined;
      /** The carrier's clock, where it says it: a hint for messages about a wrong clock, no more. */
      readonly date?: Date | undefined;
    };

export interface PublishedFile {
  /** Below the channel. */
  readonly path: string;
  /** On this machine. */
  readonly file: BytePath;
  readonly sha256: string;
  readonly bytes: number;
}

export interface Sent {
  readonly files: number;
  readonly bytes: number;
}

/** How long a carrier is waited for. */
export interface Patience {
  /** Until the answer begins, and between two pieces of it. Milliseconds. */
  readonly idleMs: number;
  /** A transfer must have reached this many bytes a second on average once `idleMs` have passed. */
  readonly bytesPerSecond: number;
  /** How often something that failed for a moment is tried again, without any progress between. */
  readonly retries: number;
  /** The first pause before a retry; each one is twice the one before. Milliseconds. */
  readonly pauseMs: number;
  /** The longest pause that a server may ask for (Retry-After). Milliseconds. */
  readonly longestPauseMs: number;
}

export const usualPatience: Patience = {
  idleMs: 30_000,
  bytesPerSecond: 512,
  retries: 5,
  pauseMs: 500,
  longestPauseMs: 120_000,
};

export interface CarrierOptions {
  /** Use HTTP without TLS for a registry. On the loopback HTTP is always used. */
  readonly plainHttp?: boolean | undefined;
  readonly patience?: Partial<Patience> | undefined;
}
