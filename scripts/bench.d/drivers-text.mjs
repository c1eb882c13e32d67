// What was measured of the drivers, as rows and as text.
import { drivers } from './drivers.mjs';
import { geometricMean, tabulate } from './statistics.mjs';
import { duration, number, percent, table } from './text.mjs';
import { overall, targets } from './workloads.mjs';

export const reference = 'overlayfs';
const peer = 'fuse-overlayfs';
/** The mount that the targets are for: what a container gets. */
const ours = 'laminafs, stateless';

/** A row a workload: a cell a driver, undefined where it was not measured there; and the targets. */
export function rowsOf({ names, seconds }) {
  return tabulate(seconds, reference, peer).map((row) => ({
    ...row,
    cells: Object.fromEntries(names.map((name) => [name, row.cells[name]])),
    targets: targets[row.workload] ?? {},
  }));
}

export function meansOf(rows, names, field = 'ratio') {
  return Object.fromEntries(
    names.map((name) => [name, geometricMean(rows.flatMap(({ cells }) => cells[name]?.[field] ?? []))]),
  );
}

const cell = (each) =>
  each === undefined ? '–' : `**${number(each.ratio)}** ${duration(each.median)} ${percent(each.spread)}`;
const target = (value) => (value === undefined ? '' : number(value));

export function driversText(data) {
  const { names, failures, rounds } = data;
  const rows = rowsOf(data);
  const means = meansOf(rows, names);
  const peerMeans = meansOf(rows, names, 'toPeer');
  const head = ['workload', ...names, `${ours} / ${peer}`, 'at most', 'aim'];
  const lines = rows.map(({ workload, cells, targets }) => [
    workload,
    ...names.map((name) => cell(cells[name])),
    number(cells[ours]?.toPeer),
    target(targets.atMost) +
      (targets.atMostPassthrough === undefined ? '' : ` (passthrough ${number(targets.atMostPassthrough)})`),
    target(targets.aim),
  ]);
  lines.push([
    'geometric mean',
    ...names.map((name) => `**${number(means[name])}**`),
    number(peerMeans[ours]),
    number(overall.atMost),
    number(overall.aim),
  ]);
  const notes = [...new Set(failures.map(({ driver, workload }) => `${workload} on ${driver}`))];
  return `Time of whole commands as a multiple of the kernel's overlayfs (bold; the median of the rounds' own ratios), median, and half the spread; ${rounds}
round${rounds === 1 ? '' : 's'} with the drivers in turn. Lower: the Debian root of \`images/debian\`; \`cold\` is after dropping the caches. The targets are for \`${ours}\`, the mount of a
container; \`laminafs, no index\` is the same without the index of its lowers, as container engines mount it; \`laminafs, servicing\` is the mount that an update runs in; \`laminafs, io_uring\` is the stateless one with \`io_uring=on\`, which the kernel's parameter
\`fuse.enable_uring\` must allow. \`native\` is a copy of the root (a bind mount of it where mounting is measured). \`fuse-native\` is a small
passthrough written on that package. Kernel overlayfs defaults: ${Object.entries(data.overlayfs)
    .map(([name, value]) => `\`${name}=${value}\``)
    .join(', ')}.

![Time as a multiple of kernel overlayfs](benchmarks.svg)

${table(head, lines)}
${notes.length === 0 ? '' : `\n–: it cannot do this. ${notes.join('; ')}: fuse-native ${drivers['fuse-native'].limits}.\n`}`;
}
