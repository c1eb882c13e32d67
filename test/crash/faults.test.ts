import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { Store } from '../../src/store/index.js';
import { verify } from '../../src/verify/index.js';
import { isRoot } from '../support/lamina.js';
import { differences } from '../support/tree.js';
import type { Snapshot } from '../support/tree.js';
import { commands, plain } from './commands.js';
import type { CrashCommand } from './commands.js';
import { copyStore } from './copy.js';
import { failing, faults } from './faults.js';
import type { Fault } from './faults.js';
import { CrashWorld } from './world.js';

const signal = new AbortController().signal;
/** Of so many steps one fails; `LAMINA_ALL_POINTS=1`: each. */
const everySo = process.env['LAMINA_ALL_POINTS'] === undefined ? 9 : 1;

/** A command that a failing disk fails. */
interface FaultCommand extends CrashCommand {
  /**
   * It may stop halfway: made again it comes to its end. Else the store must hold what it held before, or what it holds
   * after.
   */
  readonly repeatable?: boolean;
  /** Its preparation is undone where it fails, and cannot be copied: a mount. */
  readonly undone?: boolean;
  /** What it leaves where it fails is right, and no place to try the next step: a mount of another driver. */
  readonly fresh?: boolean;
}

const undone = new Set(['update begin', 'update abort']);
const fresh = new Set(['update commit']);
/** Where what they discard cannot be removed, the next change does it. */
const discards = new Set(['update abort', 'a dry run']);
const repeatable = new Set(['recover', 'gc']);

const more: readonly FaultCommand[] = [
  plain('update apply of a package', (world) => ['update', 'apply', 'tiny', packageOf(world)]),
  plain('a dry run', (world) => ['update', 'apply', 'tiny', world.script('dry', 'echo 3 >/etc/third'), '--dry-run']),
  {
    ...plain('verify --repair', () => ['verify', '--repair']),
    prepare: async (world, store) => {
      await commands.find(({ name }) => name === 'gc')?.prepare?.(world, store);
      damageIndex(store);
    },
    repeatable: true,
  },
  {
    ...plain('restore to a place', (world) => [
      'rollback',
      'first',
      '--restore',
      'etc/served',
      '--to',
      world.path('restored'),
    ]),
    prepare: (world, store) => world.lamina(store, 'rollback', 'first'),
    repeatable: true,
  },
  {
    ...plain('watch', (world) => ['watch', inboxOf(world), '--once', '--base', 'tiny', '--settle', '0.01']),
    repeatable: true,
  },
];

function packageOf(world: CrashWorld): string {
  const directory = world.path('package');
  mkdirSync(directory, { recursive: true });
  copyFileSync(world.script('run', 'echo packed >/etc/packed'), join(directory, 'run'));
  writeFileSync(
    join(directory, 'update.json'),
    '{"version": 1, "procedure": "run", "health": {"command": "test -f /etc/packed"}}',
  );
  return directory;
}

/** The checksum in its header, which its tree proves wrong. */
function damageIndex(store: string): void {
  const layer = readdirSync(join(store, 'nodes')).find((id) => id.startsWith('d-'))!;
  const file = join(store, 'nodes', layer, 'index');
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(24) ^ 1, 24);
  writeFileSync(file, bytes);
}

/** What a fault made fail is moved back, as a person would do it. */
function inboxOf(world: CrashWorld): string {
  const inbox = world.path('inbox');
  mkdirSync(inbox, { recursive: true });
  rmSync(join(inbox, 'done'), { recursive: true, force: true });
  copyFileSync(world.script('second', 'echo 2 >/etc/second'), join(inbox, 'second'));
  return inbox;
}

const all: readonly FaultCommand[] = [
  ...commands.map((each) => ({
    ...each,
    undone: undone.has(each.name),
    fresh: fresh.has(each.name),
    repeatable: repeatable.has(each.name),
  })),
  ...more,
];

describe.skipIf(!isRoot)('a disk that fails', () => {
  const world = new CrashWorld();
  const warnings: string[] = [];
  let count = 0;

  beforeAll(async () => {
    await world.build();
    vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
      warnings.push(String(warning));
    });
  });
  afterEach(() => {
    onDurableStep(undefined);
    world.unmount();
  });
  afterAll(() => {
    vi.restoreAllMocks();
    world.remove();
    process.stdout.write(`failed steps: ${String(count)} of ${String(all.length)} commands\n`);
  });

  const generation = (store: string) =>
    existsSync(`${store}/manifest.json`)
      ? (JSON.parse(readFileSync(`${store}/manifest.json`, 'utf8')) as { generation: number }).generation
      : -1;

  /** A store for a command, with a container in it that stays mounted throughout. */
  class Scene {
    readonly store: string;
    readonly still: string;
    before: Snapshot = new Map();

    constructor(readonly command: FaultCommand) {
      this.store = world.path('faulty', command.name.replaceAll(' ', '-'));
      this.still = world.mountpoint(`still-${command.name.replaceAll(' ', '-')}`);
    }

    get #mounts(): boolean {
      return this.command.from === 'sample' && this.command.name !== 'base remove';
    }

    async set(): Promise<void> {
      world.unmount();
      mkdirSync(world.path('faulty'), { recursive: true });
      rmSync(this.store, { recursive: true, force: true });
      if (this.command.from === 'sample') copyStore(world.sample, this.store);
      if (this.#mounts) {
        await world.lamina(this.store, 'create', 'still', '--base', 'spare');
        await world.write(this.store, 'still', 'etc/mine', 'mine\n');
        await world.lamina(this.store, 'mount', 'still', this.still);
      }
      if (this.command.undone === true) this.before = world.look(this.store);
      await this.command.prepare?.(world, this.store);
      if (this.command.undone !== true) this.before = world.look(this.store);
    }

    async readable(): Promise<boolean> {
      return !this.#mounts || readFileSync(join(this.still, 'etc/mine'), 'utf8') === 'mine\n';
    }

    /** A command that may be repeated must come to its end now; else the store must hold what it held before. */
    async rest(at: string, made: boolean, fault: Fault): Promise<string[]> {
      const { command, store } = this;
      const wrong: string[] = [];
      if (command.repeatable === true) {
        rmSync(world.path('restored'), { recursive: true, force: true });
        const again = await world.attempt(store, command.args(world));
        if (again.code !== 0) wrong.push(`${at}: again: ${again.said}`);
        rmSync(world.path('restored'), { recursive: true, force: true });
        if (command.name === 'watch') {
          const names = Object.values((await new Store(fromText(store)).read()).updates).map(({ name }) => name);
          if (names.filter((name) => name.startsWith('second')).length !== 1) wrong.push(`${at}: ${names.join()}`);
        }
      } else if (!made) {
        // Where all fails that would take it back, the next command does.
        if (fault.name === 'dead' && command.from === 'nothing' && existsSync(store)) {
          await world.lamina(store, ...command.args(world));
          rmSync(store, { recursive: true });
        }
        if ((fault.name === 'dead' && command.from === 'sample') || discards.has(command.name))
          await new Store(fromText(store)).recover();
        for (const [path, what] of differences(this.before, world.look(store))) wrong.push(`${at}: ${path}: ${what}`);
      }
      if (!existsSync(store)) return wrong;
      if (made) await new Store(fromText(store)).recover();
      const options = { nodes: [], quick: false, repair: false, signal };
      const { findings } = await verify(new Store(fromText(store)), options);
      return [...wrong, ...findings.map((each) => `${at}: ${each.code} ${each.subject}`)];
    }
  }

  /** What is wrong where the disk fails from a step of a command on. The end: the command had no such step. */
  async function judge(
    scene: Scene,
    fault: Fault,
    first: number,
  ): Promise<{ wrong: string[]; end: boolean; made: boolean }> {
    const { command, store } = scene;
    warnings.length = 0;
    const args = command.args(world);
    const was = generation(store);
    let hit = '';
    const fail = failing(fault, first);
    onDurableStep((step, path) => {
      try {
        fail(step, path);
      } catch (error) {
        hit ||= `${step} ${path.slice(path.lastIndexOf('/') + 1)}`;
        throw error;
      }
    });
    const { code, said } = await world.attempt(store, args);
    onDurableStep(undefined);
    const at = `${fault.name} at ${String(first)} (${hit})`;
    const made = generation(store) > was;
    const told = `${said}${warnings.join('\n')}`;
    const wrong: string[] = [];
    if (hit !== '' && !/EIO|ENOSPC|disk failed/.test(told)) wrong.push(`${at}: it only said: ${told}`);
    // Made all the same: then it says so.
    const publishes = generation(store) !== was || code === 0;
    // Of what a watch has done its report says, or its next start.
    const tells = /the change was made|its files could not be removed/.test(said) || command.name === 'watch';
    const right = code === 1 ? !publishes || tells : code === 0 && publishes && warnings.length > 0;
    if (hit !== '' && !right) wrong.push(`${at}: ended with ${String(code)}: ${told}`);
    if (!(await scene.readable())) wrong.push(`${at}: what was mounted cannot be read`);
    if (hit === '' && code !== 0) wrong.push(`${at}: it failed: ${said}`);
    return {
      wrong: [...wrong, ...(await scene.rest(at, made || code === 0, fault))],
      end: hit === '',
      made: made || code === 0,
    };
  }

  const cases = all.flatMap((command) =>
    faults.map((fault) => ({ command, fault, name: `${command.name}, ${fault.name}` })),
  );

  it.each(cases)('at any step of $name: it ends without a trace', { timeout: 900_000 }, async ({ command, fault }) => {
    const scene = new Scene(command);
    await scene.set();
    const wrong: string[] = [];
    for (let first = 0; ; first += everySo) {
      const result = await judge(scene, fault, first);
      wrong.push(...result.wrong);
      if (result.end) break;
      count += 1;
      const spent = [command.undone, command.fresh, command.repeatable].includes(true);
      if (result.made || result.wrong.length > 0 || spent) await scene.set();
    }
    rmSync(join(world.path('inbox'), 'failed'), { recursive: true, force: true });
    world.unmount();
    rmSync(scene.store, { recursive: true, force: true });
    expect(wrong.slice(0, 20)).toEqual([]);
  });
});
