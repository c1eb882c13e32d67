import type { BytePath } from '../../base/bytes.js';
import { updatesOf } from '../content.js';
import type { ChannelState } from '../types.js';
import { Places } from './places.js';
import { expiriesOf } from './refresh.js';
import type { Expiries } from './refresh.js';
import { readSettings } from './settings.js';
import { readSigned } from './signed-state.js';

/** What a channel says at present, read in the directory that it is published in, without its lock. */
export async function readPublished(directory: BytePath): Promise<ChannelState & { readonly expiries: Expiries }> {
  const places = new Places(directory);
  await readSettings(places);
  const state = await readSigned(places);
  return {
    version: state.snapshot.signed.version,
    base: state.channel.base,
    expires: state.timestamp.signed.expires,
    expiries: expiriesOf(state),
    updates: updatesOf(state.channel, state.percentages),
  };
}
