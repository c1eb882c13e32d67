import { existsSync, mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { Store } from '../../src/store/index.js';
import { verify } from '../../src/verify/index.js';
import { isRoot } from '../support/lamina.js';
import { differences } from '../support/tree.js';
import type { Snapshot } from '../support/tree.js';
import { commands } from './commands.js';
import type { CrashCommand } from './commands.js';
import { CrashPoints, copyStore } from './copy.js';
import { crashWorld } from './world.js';

const signal = new AbortController().signal;
/** Of so many crash points one is looked at whose recovery crashes too, at each of its steps. */
const everySo = 6;

describe.skipIf(!isRoot)('a crash', () => {
  const counts = { first: 0, again: 0 };
  const world = crashWorld(
    () =>
      `crash points: ${String(counts.first)} of ${String(commands.length)} commands, ${String(counts.again)} more while recovering`,
  );

  async function recovered(command: CrashCommand, store: string): Promise<Snapshot> {
    // What an init that was cut short left is no store yet: the next one goes on with it.
    if (command.from === 'sample') await new Store(fromText(store)).recover();
    else if (!existsSync(`${store}/manifest.json`)) await world.lamina(store, ...command.args(world));
    return world.look(store);
  }

  /**
   * Runs a command, and gives the stores that a crash would have left at each of its steps, with what must come of
   * them.
   */
  async function crash(command: CrashCommand) {
    const store = world.path('work', command.name.replaceAll(' ', '-'));
    mkdirSync(world.path('work'), { recursive: true });
    if (command.from === 'sample') copyStore(world.sample, store);
    await command.prepare?.(world, store);
    const original = `${store}.before`;
    if (existsSync(store)) copyStore(store, original);
    const crashed = new CrashPoints(store, `${store}.points`, () => existsSync(store));
    onDurableStep(crashed.hook);
    await world.lamina(store, ...command.args(world));
    onDurableStep(undefined);
    copyStore(store, `${store}.after`);
    const states = { before: await recovered(command, original), after: await recovered(command, `${store}.after`) };
    return { points: crashed.points, states, remove: () => crashed.remove() };
  }

  it.each(commands)(
    'during $name leaves the state before or the state after',
    { timeout: 900_000 },
    async (command) => {
      const { points, states, remove } = await crash(command);
      expect(points.length).toBeGreaterThan(2);
      const wrong: string[] = [];
      for (const [number, { step, store }] of points.entries()) {
        counts.first += 1;
        const recovery = new CrashPoints(store, `${store}.recovery`, () => existsSync(store));
        if (number % everySo === 0) onDurableStep(recovery.hook);
        const at = `${String(number)} (${step})`;
        wrong.push(...(await judge(command, store, states, at)));
        onDurableStep(undefined);
        for (const again of recovery.points) {
          counts.again += 1;
          wrong.push(...(await judge(command, again.store, states, `${at}, then ${again.step}`)));
        }
        recovery.remove();
      }
      remove();
      expect(wrong).toEqual([]);
    },
  );

  /** What is wrong with a store that a crash left. */
  async function judge(
    command: CrashCommand,
    store: string,
    { before, after }: { before: Snapshot; after: Snapshot },
    at: string,
  ): Promise<string[]> {
    try {
      const now = await recovered(command, store);
      const { findings } = await verify(new Store(fromText(store)), { nodes: [], quick: false, repair: false, signal });
      const found = findings.map(({ code, subject }) => `${at}: ${code} ${subject}`);
      const [toBefore, toAfter] = [differences(now, before), differences(now, after)];
      if (toBefore.size === 0 || toAfter.size === 0) return found;
      const least = toBefore.size < toAfter.size ? toBefore : toAfter;
      return [...found, ...[...least].map(([path, what]) => `${at}: ${path}: ${what}`)].slice(0, 6);
    } catch (error) {
      return [`${at}: ${String(error)}`];
    }
  }
});
