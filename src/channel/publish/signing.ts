import type { BytePath } from '../../base/bytes.js';
import { KeyRing } from '../keys/key-ring.js';
import type { AskPassphrase } from '../keys/key-ring.js';
import { ChannelDirectory } from './channel-directory.js';

/** What all commands that sign need. */
export interface SigningRequest {
  /** The channel's. */
  readonly directory: BytePath;
  /** Directories with further keys, beside that of the channel. */
  readonly keyDirectories?: readonly BytePath[];
  readonly passphrase: AskPassphrase;
  readonly now?: Date;
}

/** Works on a channel with the keys at hand. @throws LaminaError as `ChannelDirectory.change`, `KeyRing.open` */
export async function signing<T>(
  { directory, keyDirectories = [], passphrase, now }: SigningRequest,
  work: (channel: ChannelDirectory, ring: KeyRing) => Promise<T>,
): Promise<T> {
  let ring: KeyRing | undefined;
  return ChannelDirectory.change(
    directory,
    async (places) => (ring = await KeyRing.open([places.keys, ...keyDirectories], passphrase)),
    (channel) => {
      if (ring === undefined) throw new TypeError('the keys are opened first');
      return work(channel, ring);
    },
    now,
  );
}
