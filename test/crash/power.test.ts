import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { Store } from '../../src/store/index.js';
import { isRoot } from '../support/lamina.js';
import { commands } from './commands.js';
import type { CrashCommand } from './commands.js';
import { copyStore } from './copy.js';
import { faultsOf, stateOf } from './state.js';
import type { State } from './state.js';
import { CrashWorld, crashWorld } from './world.js';

const all = process.env['LAMINA_ALL_POINTS'] !== undefined;
/** Of so many points one is judged; after the command itself always. */
const everySo = all ? 1 : 7;
/** Of so many judged points one has its containers mounted. */
const mountedEverySo = all ? 4 : 3;

/** Those that publish something. */
const tried = commands.filter(({ name }) => !['init', 'update begin', 'update abort'].includes(name));

function shell(command: string): number | null {
  return spawnSync('sh', ['-c', command]).status;
}

/** An image of a file system, mounted by a loop device. */
class Disk {
  constructor(
    readonly image: string,
    readonly at: string,
  ) {}

  make(): void {
    mkdirSync(this.at, { recursive: true });
    const made = shell(`truncate -s 48M '${this.image}' && mkfs.ext4 -q -F -b 4096 '${this.image}'`);
    if (made !== 0) throw new Error(`mkfs.ext4 ended with ${String(made)}`);
  }

  /**
   * Nothing is written back by itself for five minutes, nor for a rename's sake: what is not synced is in memory only.
   */
  mount(): void {
    mkdirSync(this.at, { recursive: true });
    const options = 'loop,commit=300,noauto_da_alloc';
    const mounted = shell(`mount -t ext4 -o ${options} '${this.image}' '${this.at}'`);
    if (mounted !== 0) throw new Error(`mount ended with ${String(mounted)}`);
  }

  /** What a power cut leaves now: what has come to the device. */
  cut(image: string): void {
    if (shell(`cp --sparse=always '${this.image}' '${image}'`) !== 0) throw new Error('cp failed');
  }

  remove(): void {
    shell(`umount '${this.at}'`);
    rmSync(this.image, { force: true });
  }
}

/** There must be loop devices, and ext4. */
function canMount(): boolean {
  if (!isRoot) return false;
  const world = new CrashWorld();
  const disk = new Disk(world.path('probe.img'), world.path('probe'));
  try {
    disk.make();
    disk.mount();
    return true;
  } catch {
    return false;
  } finally {
    disk.remove();
    world.remove();
  }
}

describe.runIf(canMount())('a power cut', () => {
  const counts = { points: 0, mounted: 0 };
  const world = crashWorld(
    () =>
      `power cuts: ${String(counts.points)} of ${String(tried.length)} commands, ${String(counts.mounted)} with their containers mounted`,
  );

  /** What is wrong with a disk that came back. */
  async function judge(
    command: CrashCommand,
    image: string,
    states: readonly State[],
    { at, mounts }: { at: string; mounts: boolean },
  ): Promise<string[]> {
    const disk = new Disk(image, world.path('cut'));
    disk.mount();
    try {
      const store = join(disk.at, 'store');
      await new Store(fromText(store)).recover();
      const lost = (await command.abandon?.(world, store)) ?? [];
      if (mounts) counts.mounted += 1;
      return [...lost, ...(await faultsOf(world, store, states, mounts))].map((each) => `${at}: ${each}`);
    } catch (error) {
      return [`${at}: ${String(error)}`];
    } finally {
      disk.remove();
    }
  }

  /**
   * Runs a command on a disk of its own, and gives what a cut at each step would have left; the last one is right after
   * its end.
   */
  async function cutOff(command: CrashCommand) {
    const disk = new Disk(world.path('disk.img'), world.path('disk'));
    disk.make();
    disk.mount();
    try {
      const store = join(disk.at, 'store');
      copyStore(world.sample, store);
      const untouched = command.abandon === undefined ? undefined : await stateOf(world, store);
      await command.prepare?.(world, store);
      shell(`sync -f '${disk.at}'`);
      const before = untouched ?? (await stateOf(world, store));
      const cuts: { step: string; image: string }[] = [];
      const cut = (step: string) => {
        const image = world.path(`cut-${String(cuts.length)}.img`);
        disk.cut(image);
        cuts.push({ step, image });
      };
      let count = 0;
      onDurableStep((step, path) => {
        if (step !== 'stage' && count++ % everySo === 0) cut(`${step} ${path.slice(path.lastIndexOf('/') + 1)}`);
      });
      await world.lamina(store, ...command.args(world));
      onDurableStep(undefined);
      cut('its end');
      const after = await stateOf(world, store);
      return { cuts, before, after };
    } finally {
      disk.remove();
    }
  }

  it.each(tried)('during $name leaves the state before or the state after', { timeout: 900_000 }, async (command) => {
    const { cuts, before, after } = await cutOff(command);
    const wrong: string[] = [];
    for (const [number, { step, image }] of cuts.entries()) {
      counts.points += 1;
      const last = number === cuts.length - 1;
      // What a command has said is done must be there.
      const states = last ? [after] : [before, after];
      const mounts = last || number % mountedEverySo === 0;
      wrong.push(...(await judge(command, image, states, { at: `${String(number)} (${step})`, mounts })));
    }
    expect(wrong.slice(0, 12)).toEqual([]);
  });
});
