import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, describe, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { lockHolderPid } from '../../src/platform/lock.js';
import { isRoot } from '../support/lamina.js';
import { differences } from '../support/tree.js';
import { commands, plain } from './commands.js';
import { copyStore } from './copy.js';
import { crashWorld } from './world.js';

const slow = 700;

/** Drivers of the mounts of a store's transactions. */
function drivers(store: string): number[] {
  const transactions = join(store, 'transactions');
  return readdirSync(transactions).flatMap((id) => {
    const runs = join(transactions, id, 'runs');
    const works = existsSync(runs) ? readdirSync(runs).map((name) => join(runs, name, 'work')) : [];
    return works.filter((work) => existsSync(work)).flatMap((work) => lockHolderPid(fromText(work)) ?? []);
  });
}

/** False of one that has ended and that nobody has waited for. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${String(pid)}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

describe.skipIf(!isRoot)('a command that fails while a driver is slow to end', () => {
  const world = crashWorld(() => 'discards beside drivers that are slow to end');
  const catchUp = commands.find(({ name }) => name === 'update catch-up')!;
  const apply = plain('update apply', (w) => ['update', 'apply', 'tiny', w.script('slow', 'echo slow >/etc/slow')]);

  it.each([catchUp, apply])('leaves no trace of $name, and no driver', async (command) => {
    const store = world.path(`slow-${command.name.replaceAll(' ', '-')}`);
    copyStore(world.sample, store);
    await command.prepare?.(world, store);
    const before = world.look(store);
    const stopped: number[] = [];
    onDurableStep((step, path) => {
      if (step !== 'stage' || !path.endsWith('/output.log') || stopped.length > 0) return;
      for (const pid of drivers(store)) {
        stopped.push(pid);
        process.kill(pid, 'SIGSTOP');
        setTimeout(() => process.kill(pid, 'SIGCONT'), slow);
      }
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: step });
    });
    const { code, said } = await world.attempt(store, command.args(world));
    onDurableStep(undefined);
    expect(stopped).toHaveLength(1);
    expect(said).toContain('EIO');
    expect({ code, alive: stopped.filter(isAlive), differences: [...differences(before, world.look(store))] }).toEqual({
      code: 1,
      alive: [],
      differences: [],
    });
  });
});
