import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkout, isRoot } from '../support/lamina.js';
import { commands } from './commands.js';
import type { CrashCommand } from './commands.js';
import { copyStore } from './copy.js';
import { faultsOf, stateOf } from './state.js';
import type { State } from './state.js';
import { CrashWorld } from './world.js';

const all = process.env['LAMINA_ALL_POINTS'] !== undefined;
/** So many steps of a command are tried, spread over it; by `LAMINA_ALL_POINTS=1` each. */
const pointsOfEach = 3;

const tried = commands.filter(({ name }) =>
  ['base import', 'create', 'remove', 'update apply', 'update commit', 'rollback', 'merge'].includes(name),
);

describe.skipIf(!isRoot)('a SIGKILL', () => {
  const world = new CrashWorld();
  // Where the built driver and addon are found from.
  const directory = join(checkout, 'build', 'crash', `killed-${String(process.pid)}`);
  const program = join(directory, 'killed.mjs');
  const counts = { killed: 0, again: 0 };

  beforeAll(async () => {
    const require = "import { createRequire as make } from 'node:module'; const require = make(import.meta.url);";
    await build({
      entryPoints: { killed: join(checkout, 'test/crash/killed.ts') },
      outdir: directory,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      // As the program itself: a command loads only what it uses.
      splitting: true,
      minifyWhitespace: true,
      format: 'esm',
      platform: 'node',
      define: { __LAMINA_VERSION__: '"0"' },
      banner: { js: require },
      logLevel: 'warning',
    });
    await world.build();
  });
  afterEach(() => {
    world.unmount();
  });
  afterAll(() => {
    world.remove();
    rmSync(directory, { recursive: true, force: true });
    process.stdout.write(
      `killed: ${String(counts.killed)} times in ${String(tried.length)} commands, ${String(counts.again)} times while recovering\n`,
    );
  });

  const counted = world.path('count');

  /** How many steps there were, or undefined where it was killed. */
  function run(store: string, args: readonly string[], at: number): number | undefined {
    const env = { ...process.env, LAMINA_KILL_AT: String(at), LAMINA_KILL_COUNT: counted };
    const done = spawnSync(process.execPath, [program, '--store', store, ...args], { env, encoding: 'utf8' });
    if (done.signal === 'SIGKILL') return undefined;
    if (done.status !== 0)
      throw new Error(`lamina ${args.join(' ')} ended with ${String(done.status)}: ${done.stderr}`);
    return Number(readFileSync(counted, 'utf8'));
  }

  async function prepare(command: CrashCommand, store: string): Promise<State> {
    world.unmount();
    rmSync(store, { recursive: true, force: true });
    copyStore(world.sample, store);
    const before = command.abandon === undefined ? undefined : await stateOf(world, store);
    await command.prepare?.(world, store);
    return before ?? stateOf(world, store);
  }

  it.each(tried)('in $name leaves the state before or the state after', { timeout: 900_000 }, async (command) => {
    const store = world.path('killed', 'store');
    mkdirSync(world.path('killed'), { recursive: true });
    await prepare(command, store);
    const steps = run(store, command.args(world), -1)!;
    const stride = all ? 1 : Math.max(1, Math.floor(steps / pointsOfEach));
    const wrong: string[] = [];
    for (let at = all ? 0 : stride - 1; at < steps; at += stride) {
      const before = await prepare(command, store);
      if (run(store, command.args(world), at) !== undefined) continue;
      counts.killed += 1;
      // Twice in a row while it recovers.
      for (const again of [0, 2]) if (run(store, ['recover'], again) === undefined) counts.again += 1;
      run(store, ['recover'], -1);
      const lost = (await command.abandon?.(world, store)) ?? [];
      wrong.push(...lost.map((each) => `${String(at)}: ${each}`));
      const now = await stateOf(world, store);
      // Ids are new in each run: what comes after is known by its parts, not by its names.
      const published = now.store.get('/manifest.json') !== before.store.get('/manifest.json');
      const found = await faultsOf(world, store, [published ? now : before], true);
      wrong.push(...found.map((each) => `${String(at)}: ${each}`));
      if (published) wrong.push(...unlike(command, before, now).map((each) => `${String(at)}: ${each}`));
    }
    expect(wrong.slice(0, 12)).toEqual([]);
  });

  /** What the containers do not show after a command that was published. */
  function unlike({ name }: CrashCommand, before: State, now: State): string[] {
    const names = [...now.roots.keys()].sort().join();
    const etc = (container: string, file: string) => now.roots.get(container)?.has(`/etc/${file}`) === true;
    const same = (container: string) =>
      JSON.stringify([...(now.roots.get(container) ?? [])]) ===
      JSON.stringify([...(before.roots.get(container) ?? [])]);
    const expected: Record<string, () => boolean> = {
      'base import': () => names === 'db,web',
      create: () => names === 'db,new,web',
      remove: () => names === 'db',
      'update apply': () => etc('web', 'second') && etc('db', 'second'),
      'update commit': () => etc('web', 'by-hand') && etc('db', 'by-hand'),
      rollback: () => !etc('web', 'copy') && etc('web', 'kept') && etc('web', 'since'),
      merge: () => same('web') && same('db'),
    };
    return expected[name]?.() === true ? [] : [`the containers do not show what ${name} makes: ${names}`];
  }
});
