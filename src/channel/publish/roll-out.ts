import { refused } from '../../base/errors.js';
import type { RolloutContent } from '../content.js';
import type { ChannelUpdate } from '../types.js';
import { checkPercent, updateNamed } from './publish-update.js';
import { signing } from './signing.js';
import type { SigningRequest } from './signing.js';

export interface PromoteRequest extends SigningRequest {
  readonly update: string;
  /** By default 100. */
  readonly percent?: number | undefined;
  /** The share by which this was decided: nothing is changed where it is another one now. */
  readonly from?: number | undefined;
}

export interface WithdrawRequest extends SigningRequest {
  readonly update: string;
  /** Machines roll back newer updates with it. */
  readonly withNewer?: boolean | undefined;
}

/**
 * Offers an update to a share of all machines. The key of the role `rollout` is enough for it, with those of `snapshot`
 * and `timestamp`. Machines that have it keep it, also if the share gets smaller.
 * @throws LaminaError notFound: no such update; refused: it was withdrawn (WITHDRAWN), or its share is another one than
 * `from` (PROMOTED); as `signing`
 */
export async function promoteUpdate(request: PromoteRequest): Promise<ChannelUpdate> {
  checkPercent(request.percent);
  return change(request, (update) => {
    const { percent = 100, from = update.percent } = request;
    if (update.percent !== from)
      throw refused(`the update ${update.name} is offered to ${update.percent} % by now, and no longer to ${from} %`, {
        code: 'PROMOTED',
        hint: 'somebody has promoted it meanwhile: run the command again, which decides anew',
      });
    return { percent, withdrawn: update.withdrawn, withNewer: update.withNewer };
  });
}

/** Has machines roll an update back, and offers it to no other. As `promoteUpdate`. */
export async function withdrawUpdate(request: WithdrawRequest): Promise<ChannelUpdate> {
  return change(request, ({ percent }) => ({ percent, withdrawn: true, withNewer: request.withNewer ?? false }));
}

type Said = RolloutContent['updates'][string];

async function change(
  request: SigningRequest & { readonly update: string },
  say: (update: ChannelUpdate) => Said,
): Promise<ChannelUpdate> {
  return signing(request, async (channel) => {
    const update = updateNamed(channel.state, request.update);
    if (update.withdrawn)
      throw refused(`the update ${update.name} was withdrawn`, {
        code: 'WITHDRAWN',
        hint: 'machines have rolled it back: publish its package under a new name, lamina channel publish --name',
      });
    const { percentages } = channel.state;
    const updates = { ...percentages.updates, [update.name]: say(update) };
    return updateNamed(await channel.commit({ percentages: { ...percentages, updates } }), update.name);
  });
}
