import { fromText } from '../../src/base/bytes.js';
import { Store } from '../../src/store/index.js';
import { verify } from '../../src/verify/index.js';
import { differences, snapshot } from '../support/tree.js';
import type { Snapshot } from '../support/tree.js';
import type { CrashWorld } from './world.js';

/** What a store holds, and what its containers show. */
export interface State {
  readonly store: Snapshot;
  readonly roots: ReadonlyMap<string, Snapshot>;
}

/** All that a store holds, without what a driver keeps in its work directory. */
function look(world: CrashWorld, store: string): Snapshot {
  const content = world.look(store);
  for (const path of content.keys()) if (path.endsWith('/work/work')) content.delete(path);
  return content;
}

/** What every container shows when it is mounted. */
async function rootsOf(world: CrashWorld, store: string): Promise<Map<string, Snapshot>> {
  const roots = new Map<string, Snapshot>();
  for (const name of Object.keys((await new Store(fromText(store)).read()).containers)) {
    const at = world.mountpoint(`root-${name}`);
    await world.lamina(store, 'mount', name, at);
    roots.set(name, snapshot(at));
    await world.lamina(store, 'umount', name);
  }
  return roots;
}

export async function stateOf(world: CrashWorld, store: string): Promise<State> {
  return { store: look(world, store), roots: await rootsOf(world, store) };
}

const nearest = (now: Snapshot, states: readonly Snapshot[]) =>
  states.map((state) => differences(now, state)).sort((a, b) => a.size - b.size)[0]!;

/**
 * What is wrong with a recovered store that must be in one of these states. @param mounts whether its containers are
 * mounted, too
 */
export async function faultsOf(
  world: CrashWorld,
  store: string,
  states: readonly State[],
  mounts: boolean,
): Promise<string[]> {
  const { signal } = new AbortController();
  const { findings } = await verify(new Store(fromText(store)), { nodes: [], quick: false, repair: false, signal });
  const wrong = findings.map(({ code, subject }) => `${code} ${subject}`);
  const now = look(world, store);
  const least = nearest(
    now,
    states.map((state) => state.store),
  );
  wrong.push(...[...least].map(([path, what]) => `${path}: ${what}`));
  if (!mounts || least.size > 0) return wrong;
  const same = states.filter((state) => differences(now, state.store).size === 0);
  for (const [name, root] of await rootsOf(world, store)) {
    const shown = nearest(
      root,
      same.map(({ roots }) => roots.get(name) ?? new Map<string, string>()),
    );
    wrong.push(...[...shown].map(([path, what]) => `container ${name}: ${path}: ${what}`));
  }
  return wrong;
}
