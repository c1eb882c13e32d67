import { refused } from '../../base/errors.js';
import { roles } from '../names.js';
import type { Role } from '../names.js';
import type { ChannelDirectory } from './channel-directory.js';
import type { SignedState } from './signed-state.js';
import { signing } from './signing.js';
import type { SigningRequest } from './signing.js';

export interface RefreshRequest extends SigningRequest {
  /** Renew all roles, not only the timestamp: this needs the keys of all. */
  readonly all?: boolean | undefined;
}

/** When what each role signed expires. ISO 8601, UTC. */
export type Expiries = Readonly<Record<Role, string>>;

/**
 * Signs the timestamp again, which confirms that the channel is still current.
 * @throws LaminaError refused (CHANNEL_EXPIRED): another role has expired, so that a new timestamp would help nobody;
 * as `signing`
 */
export async function refreshChannel(request: RefreshRequest): Promise<Expiries> {
  const now = request.now ?? new Date();
  return signing(request, async (channel) => {
    if (request.all === true) return expiriesOf(await renewAll(channel));
    const expired = Object.entries(expiriesOf(channel.state)).find(
      ([role, time]) => role !== 'timestamp' && new Date(time) <= now,
    );
    if (expired !== undefined)
      throw refused(`the role '${expired[0]}' of the channel expired at ${expired[1]}`, {
        code: 'CHANNEL_EXPIRED',
        hint: 'renew it with all keys at hand: lamina channel refresh --all --keys DIR',
      });
    return expiriesOf(await channel.commit({}));
  });
}

async function renewAll(channel: ChannelDirectory): Promise<SignedState> {
  return channel.commit({ root: channel.nextRoot({}), renewed: ['targets', 'rollout', 'snapshot'] });
}

export function expiriesOf(state: SignedState): Expiries {
  return Object.fromEntries(roles.map((role) => [role, state[role].signed.expires])) as Record<Role, string>;
}
