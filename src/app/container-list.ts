import { notFound, usage } from '../base/errors.js';
import { containerOf, storageChain } from '../manifest/index.js';
import { nodesData } from '../data/index.js';
import type { NodeData } from '../data/index.js';
import { fromText } from '../base/bytes.js';
import { globFault, globMatcher } from '../platform/globs.js';
import type { Store } from '../store/index.js';
import type { StatusData } from './inspect.js';

/** How a container stands to its base: on its head, without some of its updates, or on a layer that is gone. */
export type Standing = 'newest' | 'behind' | 'left-behind';

export type ListedContainer = StatusData['containers'][number] & {
  readonly state: Standing;
  /** Where it is mounted in another mount namespace, or by containerd; null: it is not, or here. */
  readonly elsewhere: string | null;
  /** The snapshot as which containerd has mounted it; null: it has not. */
  readonly snapshot: string | null;
};

export interface ListData {
  readonly containers: readonly ListedContainer[];
}

/** One container, with its storages, newest first. */
export interface OneData {
  readonly container: ListedContainer;
  readonly storages: readonly NodeData[];
}

export interface Selection {
  /** As `base=debian`: of one key any, of several keys all. */
  readonly filters: readonly string[];
  /** A field, with `-` before it the other way round; by default the name. */
  readonly sort?: string | undefined;
}

const states: Readonly<Record<string, (container: ListedContainer) => boolean>> = {
  newest: ({ state }) => state === 'newest',
  behind: ({ state }) => state === 'behind',
  'left-behind': ({ state }) => state === 'left-behind',
  mounted: ({ mountpoint, elsewhere }) => mountpoint !== null || elsewhere !== null,
  unmounted: ({ mountpoint, elsewhere }) => mountpoint === null && elsewhere === null,
  'driver-gone': ({ driverGone }) => driverGone,
};

type Test = (container: ListedContainer) => boolean;

const filterKeys: Readonly<Record<string, (value: string) => Test>> = {
  name: (value) => matches(value, ({ name }) => name),
  base: (value) => matches(value, ({ base }) => base),
  state: (value) => {
    if (Object.hasOwn(states, value)) return states[value] as Test;
    throw usage(`--filter state=${value}: there is no such state`, {
      hint: `give one of ${Object.keys(states).join(', ')}`,
    });
  },
  engine: (value) => matches(value, ({ engine }) => engine ?? 'none'),
  layer: (value) => matches(value, ({ layer }) => layer),
};

const sortKeys: Readonly<Record<string, (container: ListedContainer) => string>> = {
  name: ({ name }) => name,
  base: ({ base }) => base,
  state: ({ state }) => state,
  created: ({ created }) => created,
  mountpoint: ({ mountpoint, elsewhere }) => mountpoint ?? elsewhere ?? '',
};

/** `*` and `?` mean what they do in a shell. */
function matches(glob: string, of: (container: ListedContainer) => string): Test {
  const globs = [`/${glob}`];
  const fault = globFault(globs);
  if (fault !== undefined)
    throw usage(`--filter: '${glob}': ${fault}`, { hint: 'give a name, or a pattern such as web-*' });
  const matcher = globMatcher(globs);
  return (container) => matcher(fromText(of(container)));
}

/** What `list` shows of a store. */
export function listed(data: StatusData): ListedContainer[] {
  const elsewhere = new Map(data.elsewhere.map((each) => [each.container, each]));
  return data.containers.map((container) => ({
    ...container,
    state: container.behind === null ? 'left-behind' : container.behind.length === 0 ? 'newest' : 'behind',
    elsewhere: elsewhere.get(container.name)?.mountpoint ?? null,
    snapshot: elsewhere.get(container.name)?.snapshot ?? null,
  }));
}

/** @throws LaminaError usage: no such filter, state or field */
export function select(containers: readonly ListedContainer[], { filters, sort }: Selection): ListedContainer[] {
  const byKey = new Map<string, Test[]>();
  for (const filter of filters) {
    const [key = '', value] = filter.split(/=(.*)/s);
    if (value === undefined || !Object.hasOwn(filterKeys, key))
      throw usage(`--filter ${filter}: not a filter`, {
        hint: `give one of ${Object.keys(filterKeys)
          .map((each) => `${each}=`)
          .join(', ')}, and a value`,
      });
    const test = filterKeys[key]?.(value);
    if (test !== undefined) byKey.set(key, [...(byKey.get(key) ?? []), test]);
  }
  const kept = containers.filter((each) => [...byKey.values()].every((tests) => tests.some((test) => test(each))));
  return sorted(kept, sort ?? 'name');
}

function sorted(containers: ListedContainer[], sort: string): ListedContainer[] {
  const field = sort.replace(/^-/, '');
  const key = Object.hasOwn(sortKeys, field) ? sortKeys[field] : undefined;
  if (key === undefined)
    throw usage(`--sort ${sort}: there is no such field`, { hint: `give one of ${Object.keys(sortKeys).join(', ')}` });
  const sign = sort === field ? 1 : -1;
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return containers.sort((a, b) => sign * order(key(a), key(b)) || order(a.name, b.name));
}

/** @throws LaminaError notFound */
export async function oneContainer(store: Store, data: StatusData, name: string): Promise<OneData> {
  const manifest = await store.read();
  const storages = storageChain(manifest, containerOf(manifest, name).storage);
  const container = listed(data).find((each) => each.name === name);
  if (container === undefined)
    throw notFound(`container '${name}' was removed meanwhile`, { code: 'NO_CONTAINER', hint: 'see lamina list' });
  const nodes = nodesData(manifest);
  return { container, storages: storages.flatMap((id) => nodes.find((node) => node.id === id) ?? []) };
}
