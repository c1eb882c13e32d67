import { Option } from 'commander';
import type { Command } from 'commander';
import type { FleetRequest } from '../../app/channel/fleet.js';
import { pathOf } from '../context.js';

/** What is given by `withFleetOptions` and `machinesOption`. */
export interface FleetWords {
  readonly reports?: string;
  readonly machines?: string;
  readonly trustNew?: boolean;
  readonly plainHttp?: boolean;
}

/** The options for the place of reports, and for the machines whose reports count. */
export const withFleetOptions = (command: Command): Command =>
  command
    .option(
      '--reports <url>',
      'where the reports are, such as oci://REGISTRY/REPOSITORY (default: where the channel is)',
    )
    .option('--plain-http', 'connect to the registry by HTTP, without TLS')
    .option('--trust-new', 'enroll each machine that reports for the first time; then reports of strangers count, too');

/** Of commands that only read: who signs has the channel's directory. */
export const machinesOption = () =>
  new Option('--machines <dir>', 'the directory that has the list of enrolled machines (default: that of the channel)');

export function fleetRequest(channel: string, words: FleetWords, signal: AbortSignal): FleetRequest {
  const { reports, machines, trustNew = false, plainHttp = false } = words;
  return {
    channel,
    reports,
    machines: machines === undefined ? undefined : pathOf(machines),
    trustNew,
    plainHttp,
    signal,
  };
}
