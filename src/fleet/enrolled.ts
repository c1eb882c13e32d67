import { statSync } from 'node:fs';
import * as z from 'zod';
import { display, fromText, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, refused } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import { isoNow } from '../base/time.js';
import { own } from '../manifest/index.js';
import { writeFileDurably } from '../platform/durable.js';
import { acquireLock } from '../platform/lock.js';
import { readJsonRecordSync } from '../store/index.js';
import { identityOf, machineIdPattern } from './machine-key.js';
import type { MachineIdentity } from './machine-key.js';

const enrolled = z
  .strictObject({
    key: z.string(),
    enrolled: z.iso.datetime(),
    /** `operator`: by `channel enroll`. `first-use`: by the first report of the machine, with --trust-new. */
    how: z.enum(['operator', 'first-use']),
  })
  .readonly();

const schema = z
  .strictObject({ version: z.literal(1), machines: z.record(z.string().regex(machineIdPattern), enrolled).readonly() })
  .readonly();

type Enrolled = z.infer<typeof enrolled>;

/** The machines whose reports count. This file is the operator's own: it is never published, nor read from a server. */
export type Machines = z.infer<typeof schema>['machines'];

const lockPatience = 30_000;
/** Strangers make keys without end: with so many machines, only the operator enrolls more. */
const mostByFirstUse = 100_000;

/** None where there is no such file. @throws LaminaError damaged */
export function readMachines(file: BytePath): Machines {
  const found = readJsonRecordSync(file, {
    schema,
    fault: 'has no valid list of enrolled machines',
    code: 'MACHINES_DAMAGED',
    hint: 'restore it from a backup, or remove it and enroll the machines again',
  });
  return found?.machines ?? {};
}

/** The same, read again only when the file is another one: of a large fleet that takes a while. */
export class MachineList {
  #mark = '';
  #machines: Machines = {};

  constructor(readonly file: BytePath) {}

  /** @throws LaminaError damaged */
  read(): Machines {
    const stats = statSync(toBuffer(this.file), { bigint: true, throwIfNoEntry: false });
    // It is replaced by rename, so a change is another inode, or another time.
    const mark = stats === undefined ? 'none' : `${stats.ino} ${stats.ctimeNs} ${stats.size}`;
    if (mark !== this.#mark) this.#machines = readMachines(this.file);
    this.#mark = mark;
    return this.#machines;
  }
}

/** Whether the key of this machine is enrolled. */
export function isEnrolled(machines: Machines, { id, key }: MachineIdentity): boolean {
  return own(machines, id)?.key === key;
}

export interface Enrolment {
  readonly added: readonly string[];
  readonly already: readonly string[];
}

/**
 * Enrolls machines by their public keys.
 * @throws LaminaError usage: one is no key (then none is enrolled); refused: others hold the file for too
 * long, or there are too many for one that comes by its first report
 */
export async function enroll(file: BytePath, keys: readonly string[], how: Enrolled['how']): Promise<Enrolment> {
  const identities = keys.map(identityOf);
  const [added, already]: [string[], string[]] = [[], []];
  await changeMachines(file, (machines) => {
    const next: Record<string, Enrolled> = { ...machines };
    let count = Object.keys(machines).length;
    for (const identity of identities) {
      if (isEnrolled(next, identity)) already.push(identity.id);
      else {
        refuseOtherKey(next, identity, file);
        if (how === 'first-use') refuseTooMany(count);
        count += 1;
        next[identity.id] = { key: identity.key, enrolled: isoNow(), how };
        added.push(identity.id);
      }
    }
    return added.length > 0 ? next : undefined;
  });
  return { added, already };
}

/** Removes machines: their reports count no more. @throws LaminaError notFound: one of them is not enrolled */
export async function expel(file: BytePath, ids: readonly string[]): Promise<void> {
  await changeMachines(file, (machines) => {
    const unknown = ids.filter((id) => !Object.hasOwn(machines, id));
    if (unknown.length > 0)
      throw notFound(`no machine is enrolled as ${someOf(unknown.map((id) => display(fromText(id))))}`, {
        code: 'NOT_ENROLLED',
        hint: 'lamina channel machines lists the machines that are enrolled',
      });
    return Object.fromEntries(Object.entries(machines).filter(([id]) => !ids.includes(id)));
  });
}

/** Two keys with one id would be half of SHA-256 broken: nobody should come in by that. */
function refuseOtherKey(machines: Machines, { id }: MachineIdentity, file: BytePath): void {
  if (!Object.hasOwn(machines, id)) return;
  throw refused(`${display(file)} has another key for machine ${id}`, {
    code: 'OTHER_MACHINE_KEY',
    hint: 'make a new key on that machine: remove agent/key in its store, and run lamina follow again',
  });
}

function refuseTooMany(count: number): void {
  if (count < mostByFirstUse) return;
  throw refused(`${mostByFirstUse} machines are enrolled: no more are by their first report`, {
    code: 'TOO_MANY_MACHINES',
    hint: 'enroll further ones by their keys (lamina channel enroll), or expel strangers (lamina channel expel)',
  });
}

async function changeMachines(file: BytePath, change: (machines: Machines) => Machines | undefined): Promise<void> {
  const lock = await acquireLock(`${file}.lock` as BytePath, 'exclusive', { timeoutMs: lockPatience });
  try {
    const machines = change(readMachines(file));
    if (machines === undefined) return;
    await writeFileDurably(file, `${JSON.stringify({ version: 1, machines }, null, 1)}\n`);
  } finally {
    lock.release();
  }
}
