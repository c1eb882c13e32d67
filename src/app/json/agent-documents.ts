import * as z from 'zod';
import type { AgentData, FollowData } from '../agent.js';
import type { MachineData, MachineShowData } from '../channel/machines.js';
import type { Enrolment, FleetData, ReceiveData, RolloutData } from '../channel/fleet.js';
import { count, error, name, time } from './parts.js';

const machine = z.string().regex(/^m-[0-9a-f]{32}$/);
const key = z.string().regex(/^ed25519:/);
const sequence = count.min(1);
const percent = z.number().min(0).max(100);
const outcome = z.enum(['applied', 'already', 'unchanged', 'rolled-back', 'failed', 'waiting']);

const followed = z.strictObject({
  machine: machine.nullable(),
  key: key.nullable(),
  follows: z.array(
    z.strictObject({
      base: name,
      url: z.string(),
      group: name.nullable(),
      windows: z.array(z.string()),
      restart: z.boolean(),
      report: z.string().nullable(),
      events: z.string().nullable(),
      intervalSeconds: z.number().positive(),
      after: count,
      plainHttp: z.boolean(),
      maxBytes: count.nullable(),
    }),
  ),
  agentRuns: z.boolean(),
}) satisfies z.ZodType<FollowData>;

const containers = z.strictObject({
  changed: count,
  skipped: count,
  unchanged: count,
  failed: count,
  conflicts: count,
});

const agent = z.strictObject({
  machine,
  bases: z.array(
    z.strictObject({
      base: name,
      url: z.string(),
      version: count.nullable(),
      updates: z.array(
        z.strictObject({
          sequence,
          name,
          outcome,
          seconds: z.number().nonnegative(),
          containers,
          error: error.nullable(),
        }),
      ),
      stuck: z.strictObject({ update: name, code: z.string(), because: z.string() }).nullable(),
      reported: z.boolean(),
      errors: z.array(error),
    }),
  ),
}) satisfies z.ZodType<AgentData>;

const summary = z.strictObject({
  sequence,
  name,
  group: name.nullable(),
  percent,
  withdrawn: z.boolean(),
  publishedAt: time,
  offered: count,
  done: count,
  failed: count,
  waiting: count,
  rolledBack: count,
  remaining: count,
  failures: z.array(z.strictObject({ machine, host: z.string(), code: z.string(), message: z.string() })),
});

const fleet = z.strictObject({
  channel: z.string(),
  base: name.nullable(),
  version: count,
  expires: time,
  machines: z.strictObject({
    enrolled: count,
    reporting: count,
    silent: z.array(machine),
    strangers: z.strictObject({ count, first: z.array(z.strictObject({ machine, key, host: z.string() })) }),
    refused: z.strictObject({ count, first: z.array(z.strictObject({ path: z.string(), reason: z.string() })) }),
  }),
  updates: z.array(summary),
}) satisfies z.ZodType<FleetData>;

const machineFields = {
  machine,
  host: z.string().nullable(),
  base: name.nullable(),
  group: name.nullable(),
  lamina: z.string().nullable(),
  channelVersion: count.nullable(),
  reported: time.nullable(),
  outcomes: z.record(outcome, count),
  newest: z.strictObject({ name, outcome }).nullable(),
  failure: z.strictObject({ update: name, code: z.string(), message: z.string() }).nullable(),
};

const fleetMachine = z.strictObject(machineFields) satisfies z.ZodType<MachineData>;

const machineShown = z.strictObject({
  ...machineFields,
  updates: z.array(
    z.strictObject({
      sequence,
      name,
      sha256: z.string(),
      outcome,
      started: time.nullable(),
      seconds: z.number().nonnegative(),
      containers,
      failures: z.array(z.strictObject({ container: z.string(), reason: z.string() })),
      error: error.nullable(),
    }),
  ),
}) satisfies z.ZodType<MachineShowData>;

export const rollout = z.strictObject({
  update: name,
  action: z.enum(['wait', 'raise', 'withdraw', 'complete', 'ended']),
  percent,
  because: z.string(),
  dryRun: z.boolean(),
  summary,
}) satisfies z.ZodType<RolloutData>;

const enrolment = z.strictObject({
  added: z.array(machine),
  already: z.array(machine),
}) satisfies z.ZodType<Enrolment>;

const expelled = z.strictObject({ expelled: z.array(machine) });

const received = z.strictObject({ accepted: count, refused: count }) satisfies z.ZodType<ReceiveData>;

export const agentDocuments: Readonly<Record<string, readonly z.ZodObject[]>> = {
  follow: [followed],
  unfollow: [followed],
  agent: [agent],
  'channel status': [fleet],
  'channel machines': [z.strictObject({ machines: z.array(fleetMachine) }), machineShown],
  'channel enroll': [enrolment],
  'channel expel': [expelled],
  'channel receive': [received],
};
