// Runs every workload on every driver in turn, several rounds, and reports medians and ratios to the kernel's overlayfs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { drivers, kernelDefaults } from './drivers.mjs';
import { debianLower, smallFiles } from './input.mjs';
import { chart, markdownTable } from './report.mjs';
import { dropCaches, timed } from './shell.mjs';
import { geometricMean, tabulate } from './statistics.mjs';
import { workloads } from './workloads.mjs';

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const reference = 'overlayfs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    drivers: { type: 'string', default: Object.keys(drivers).join(';') },
    write: { type: 'boolean', default: false },
  },
});

function runWorkloads(driver, place, chosen, record) {
  let mount = drivers[driver].mount(place);
  try {
    for (const workload of chosen) {
      if (workload.fresh) {
        mount.end();
        mount = drivers[driver].mount(place);
      }
      if (workload.prepare) timed(workload.prepare, mount.root);
      try {
        if (workload.drop) dropCaches(workload.drop);
        record(workload.name, timed(workload.script, mount.root));
      } finally {
        if (workload.finish) timed(workload.finish, mount.root);
      }
    }
  } finally {
    mount.end();
  }
}

/** The time from nothing to the first answer and back to nothing. */
function mountCycle(driver, place, record) {
  const start = process.hrtime.bigint();
  const mount = drivers[driver].mount(place);
  timed('stat .', mount.root);
  mount.end();
  record('mount, first stat, unmount', Number(process.hrtime.bigint() - start) / 1e9);
}

function measure(place, scratch, names) {
  const seconds = {};
  const only = options.only.split(';').filter(Boolean);
  const chosen = workloads(scratch).filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const driver of names) {
      process.stderr.write(`round ${round + 1}, ${driver}\n`);
      const record = (workload, figure) => ((seconds[workload] ??= {})[driver] ??= []).push(figure);
      runWorkloads(driver, place, chosen, record);
      if (driver !== 'native' && only.length === 0) mountCycle(driver, place, record);
    }
  }
  return seconds;
}

function report(seconds, names) {
  const rows = tabulate(seconds, reference).map((row) => ({
    ...row,
    cells: Object.fromEntries(names.map((name) => [name, row.cells[name] ?? { median: NaN, spread: NaN, ratio: NaN }])),
  }));
  const means = Object.fromEntries(
    names.map((name) => [
      name,
      geometricMean(rows.map(({ cells }) => cells[name].ratio).filter((ratio) => !Number.isNaN(ratio))),
    ]),
  );
  const table = markdownTable(rows, names, means);
  process.stdout.write(`${table}\n`);
  const machine = {
    kernel: release(),
    processors: cpus().length,
    overlayfs: kernelDefaults(),
    rounds: Number(options.rounds),
  };
  mkdirSync(join(checkout, 'build/bench'), { recursive: true });
  writeFileSync(join(checkout, 'build/bench/drivers.json'), JSON.stringify({ machine, seconds, rows, means }, null, 2));
  if (options.write) writePage(table, rows, names, machine);
}

function writePage(table, rows, names, machine) {
  writeFileSync(join(checkout, 'docs/benchmarks.svg'), chart(rows, names));
  writeFileSync(
    join(checkout, 'docs/benchmarks.md'),
    `# Benchmarks

Time of whole commands as a multiple of the kernel's overlayfs (bold), median and half the spread, over ${machine.rounds} rounds with the drivers in turn.
Lower: the Debian root of \`images/debian\`. Linux ${machine.kernel}, ${machine.processors} processors, ext4. Kernel overlayfs defaults: ${JSON.stringify(machine.overlayfs)}.
\`laminafs\` opens stateless, \`laminafs, servicing\` is the mount an update runs in. Written by \`scripts/bench --write\`.

![Time as a multiple of kernel overlayfs](benchmarks.svg)

${table}
`,
  );
}

const scratch = mkdtempSync(join(process.env.LAMINA_BENCH_DIR ?? tmpdir(), 'lamina-bench-'));
try {
  smallFiles(scratch);
  const place = { ...debianLower(checkout, scratch), directory: scratch, laminafs: join(checkout, 'dist/laminafs') };
  const names = options.drivers.split(';');
  report(measure(place, scratch, names), names);
} finally {
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 });
}
