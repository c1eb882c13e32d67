import type { ListedContainer, OneData } from '../app/container-list.js';
import type { StatusData } from '../app/inspect.js';
import { bytesText } from '../base/units.js';
import { counted, layersText, shown, table } from './output.js';

/** The fields of a container that a template may name. */
export const containerFields = [
  ...['name', 'base', 'state', 'layer', 'storage', 'mountpoint', 'engine', 'behind', 'created', 'driverGone'],
  ...['elsewhere', 'snapshot'],
];

/** For templates. */
export const rowsOf = (containers: readonly ListedContainer[]): Record<string, unknown>[] =>
  containers.map((each) => ({ ...each }));

/** From so many containers on, `status` lists only those that are not as usual. */
const many = 20;

/** @param containers those of the data that are to be shown, in order; @param isWhole nobody asked for some only */
export function statusText(data: StatusData, containers: readonly ListedContainer[], isWhole: boolean): string {
  const bases = data.bases.map(({ name, head }) => [name, named(data, head), layersText(data.bases, name)]);
  const folds = isWhole && containers.length > many;
  const odd = containers.filter(({ state, driverGone }) => state !== 'newest' || driverGone);
  const late = containers.find(({ state }) => state === 'behind');
  return [
    `store ${shown(data.store)}`,
    '',
    table(['BASE', 'HEAD', 'LAYERS'], bases, 'there are no bases'),
    '',
    ...(folds ? [countsOf(containers)] : []),
    ...(folds && odd.length === 0 ? [] : [containersText(data, folds ? odd : containers)]),
    ...[runningLines(data), servicingLines(data)].flatMap((lines) => (lines.length === 0 ? [] : ['', ...lines])),
    ...(late === undefined
      ? []
      : ['', `to bring a container that is behind to the newest layer: lamina update catch-up ${late.name}`]),
  ].join('\n');
}

function countsOf(containers: readonly ListedContainer[]): string {
  const count = (test: (container: ListedContainer) => boolean) => containers.filter(test).length;
  const mounted = count(({ mountpoint, elsewhere }) => mountpoint !== null || elsewhere !== null);
  const parts = [
    `${count(({ state }) => state === 'newest')} on the newest layer`,
    `${count(({ state }) => state === 'behind')} behind`,
    `${count(({ state }) => state === 'left-behind')} left behind by a rollback`,
  ].filter((part) => !part.startsWith('0 '));
  return `${counted(containers.length, 'container')}: ${parts.join(', ')}; ${mounted} mounted (lamina list shows all)`;
}

/** The table of `status` and of `list`. */
export function containersText(
  data: Pick<StatusData, 'nodes' | 'containers'>,
  containers: readonly ListedContainer[],
): string {
  const rows = containers.map((container) => [
    container.name,
    container.base,
    named(data, container.layer),
    stateText(container),
    placeText(container),
  ]);
  const none = data.containers.length === 0 ? 'there are no containers' : 'no container matches';
  return table(['CONTAINER', 'BASE', 'LAYER', 'STATE', 'MOUNTED ON'], rows, none);
}

/** What `status NAME` says. */
export function oneText(data: StatusData, { container, storages }: OneData): string {
  const rows = storages.map(({ id, kind, update, sealed, entries, bytes }) => [
    id,
    kind,
    update ?? '-',
    sealed ? `${counted(entries, 'entry', 'entries')}, ${bytesText(bytes)}` : 'writable',
  ]);
  return [
    `container ${container.name}`,
    `base: ${container.base}`,
    `layer: ${named(data, container.layer)}`,
    `state: ${stateText(container)}`,
    `mounted on: ${shown(placeText(container))}`,
    `created: ${container.created}`,
    '',
    table(['STORAGE', 'KIND', 'UPDATE', 'HOLDS'], rows, ''),
  ].join('\n');
}

function stateText({ behind }: ListedContainer): string {
  if (behind === null) return 'left behind by a rollback';
  return behind.length === 0 ? 'newest' : `behind: ${behind.join(', ')}`;
}

function placeText({ mountpoint, elsewhere, snapshot, engine, driverGone }: ListedContainer): string {
  if (mountpoint === null) {
    if (elsewhere === null) return '-';
    return `${elsewhere} (${snapshot === null ? 'in another mount namespace' : `by containerd, as snapshot ${snapshot}`})`;
  }
  if (driverGone) return `${mountpoint} (its driver is gone: lamina recover)`;
  return engine === 'kernel' ? `${mountpoint} (by the kernel)` : mountpoint;
}

const runningLines = ({ running }: StatusData): string[] =>
  running.map(
    ({ process, command, since }) => `running: lamina ${shown(command)} (process ${process}, since ${since})`,
  );

const servicingLines = ({ servicing }: StatusData): string[] =>
  servicing.map(({ name, base, directory, mountpoint, state }) =>
    state === 'interrupted'
      ? `update ${name} of base ${base}, made by hand on ${shown(directory)}, was interrupted, and is kept: lamina recover mounts it again`
      : `update ${name} of base ${base} is being made by hand on ${shown(mountpoint ?? `${directory} (in another mount namespace)`)}`,
  );

/** A layer with the update that made it. */
function named({ nodes }: Pick<StatusData, 'nodes'>, layer: string): string {
  const update = nodes.find(({ id }) => id === layer)?.update ?? null;
  return update === null ? layer : `${layer} (${update})`;
}
