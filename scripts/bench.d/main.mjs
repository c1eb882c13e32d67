// Runs sections of the benchmark. What each measured stays in build/bench/NAME.json; docs/benchmarks.md is composed of
// all that lies there, so that sections measured at different times make one page.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { scratchDisk } from './disk.mjs';
import { sections } from './sections.mjs';
import { writePage } from './page.mjs';

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const names = sections.map(({ name }) => name);

/** A wrong call: what is wrong with it, without a stack. */
function refuse(message) {
  process.stderr.write(`bench: ${message}; see scripts/bench --help\n`);
  process.exit(2);
}

function parsed(config) {
  try {
    return parseArgs(config);
  } catch (error) {
    return refuse(error.message);
  }
}

const { values, positionals } = parsed({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    drivers: { type: 'string' },
    entries: { type: 'string', default: '1000000' },
    size: { type: 'string', default: '4096' },
    updates: { type: 'string', default: '20' },
    containers: { type: 'string', default: '10,100,1000' },
    more: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

function whole(name) {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) refuse(`--${name} must be a whole number from 1, not '${values[name]}'`);
  return value;
}

const options = {
  ...values,
  rounds: whole('rounds'),
  entries: whole('entries'),
  size: whole('size'),
  updates: whole('updates'),
  containers: values.containers.split(',').map(Number),
};

function chosen() {
  const wanted = positionals.length === 0 ? ['drivers'] : positionals.includes('all') ? names : positionals;
  const unknown = wanted.filter((name) => name !== 'page' && !names.includes(name));
  if (unknown.length > 0) refuse(`no section '${unknown.join("', '")}'; there are ${names.join(', ')}, all, page`);
  return sections.filter(({ name }) => wanted.includes(name));
}

const resultOf = (section) => join(checkout, 'build/bench', `${section.name}.json`);

function earlierOf(section) {
  if (!values.more || !existsSync(resultOf(section))) return undefined;
  return JSON.parse(readFileSync(resultOf(section), 'utf8')).data;
}

async function measure(section) {
  const { scratch, disk, end } = scratchDisk();
  const machine = {
    kernel: release(),
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memory: totalmem(),
    load: loadavg()[0],
    disk,
  };
  const keep = (data) => {
    const result = { section: section.name, taken: new Date().toISOString(), machine, data };
    mkdirSync(join(checkout, 'build/bench'), { recursive: true });
    writeFileSync(resultOf(section), `${JSON.stringify(result, null, 2)}\n`);
  };
  try {
    const laminafs = join(checkout, 'dist/laminafs');
    const data = await section.measure({ checkout, scratch, options, laminafs, earlier: earlierOf(section), keep });
    keep(data);
    process.stdout.write(`${section.text(data)}\n`);
  } finally {
    end();
  }
}

for (const section of chosen()) await measure(section);
if (values.write || positionals.includes('page')) writePage(checkout);
