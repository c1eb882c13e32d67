/** An update of a channel, as the publisher signed it; the percentage and the withdrawal are those of the rollout. */
export interface ChannelUpdate {
  /** Its place in the channel, from 1. A machine applies them in this order. */
  readonly sequence: number;
  /** Unique in the channel, and never used again. */
  readonly name: string;
  /** The base that it is for, by the publisher's name. */
  readonly base: string;
  readonly package: ChannelPackage;
  /** Machines of this group are offered the update whatever the percentage is; null: there is no such group. */
  readonly group: string | null;
  /** Of all machines, 0 to 100. */
  readonly percent: number;
  /** Machines that have the update roll it back; no other machine is offered it. */
  readonly withdrawn: boolean;
  /** With a withdrawal: newer updates on a machine are rolled back with it. */
  readonly withNewer: boolean;
  /** The versions of the base that it upgrades, such as `>=12.1 <13`; null: any. */
  readonly from: string | null;
  /** The version of the base that it makes; null: it does not say. */
  readonly to: string | null;
  /** ISO 8601, UTC. */
  readonly publishedAt: string;
}

/** The one file that an update is. */
export interface ChannelPackage {
  /** The path of the target (TUF), for example `4f0c….tar`. */
  readonly path: string;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
  readonly bytes: number;
}

/** What a channel says, after all signatures were checked. */
export interface ChannelState {
  /** Grows with every change of the channel except a mere refresh of its timestamp. */
  readonly version: number;
  /** The base that the channel is for; null: nothing was published yet. */
  readonly base: string | null;
  /** When a machine stops to believe this state, if the channel is not refreshed: ISO 8601, UTC. */
  readonly expires: string;
  /** Ordered by sequence. */
  readonly updates: readonly ChannelUpdate[];
}
