// What an update costs: the Debian upgrade in a flat copy, on each way of mounting, and as `lamina update apply`.
import { cpSync, mkdirSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { available, drivers, servicingByRing, tuned } from './drivers.mjs';
import { makeContainers } from './fleet.mjs';
import { timedInSandbox } from './in-sandbox.mjs';
import { debianImages, debianLower } from './input.mjs';
import { operationsOf } from './messages.mjs';
import { functionsOf, storeAt } from './orchestrator.mjs';
import { run } from './shell.mjs';
import { median, spread } from './statistics.mjs';
import { duration, number, percent, rounds, table, targets } from './text.mjs';

const mounts = ['native', tuned, 'laminafs, stateless', 'laminafs, servicing', servicingByRing];
export const [flat, kernel] = mounts;
const [, , , supervised, byRing] = mounts;
/** Containers on the base of a whole command: those that it overlaps, which must be run, and those that it does not. */
const fleets = {
  'update apply, the base alone': { affected: 0, skipped: 0, engine: 'fuse' },
  'update apply, 4 affected containers': { affected: 4, skipped: 0, engine: 'fuse' },
  'update apply --engine kernel, 4 affected containers': { affected: 4, skipped: 0, engine: 'kernel' },
  'update apply, 100 skipped containers': { affected: 0, skipped: 100, engine: 'fuse' },
};
export const [base] = Object.keys(fleets);
const [, affected, affectedByKernel] = Object.keys(fleets);
/** Where the upgrade lists no directory: it lists /etc, so that it must run in a container with a new name there. */
const unlisted = ['var/lib/app', 'srv/www', 'home/app'];

/** Seconds of the upgrade in a fresh root, in the sandbox that an update has, and the messages that it took. */
async function inMount(name, place, functions, update) {
  const mount = drivers[name].mount(place);
  try {
    const before = await operationsOf(mount);
    run('sync', []);
    const seconds = await timedInSandbox(functions, mount.root, update, 'upgrade');
    return { seconds, messages: differenceOf(await operationsOf(mount), before) };
  } finally {
    mount.end();
  }
}

const differenceOf = (after, before) =>
  after && Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - (before?.[name] ?? 0)]));

/** A store with the base and the containers of a fleet. */
async function storeOf(checkout, functions, directory, { affected: changed, skipped }) {
  const store = storeAt(checkout, directory);
  await store.lamina('init');
  await store.lamina('base', 'import', 'debian', debianImages(checkout).root);
  const trees = await makeContainers(functions, directory, changed + skipped, unlisted);
  const passwd = readFileSync('/etc/passwd', 'utf8');
  for (const tree of trees.slice(0, changed)) {
    mkdirSync(join(tree, 'etc'), { recursive: true });
    writeFileSync(join(tree, 'etc/passwd'), `${passwd}own:x:4711:4711::/nonexistent:/usr/sbin/nologin\n`);
  }
  return store;
}

async function applied(store, update, { affected: changed, skipped, engine }) {
  run('sync', []);
  const words = ['--json', 'update', 'apply', 'debian', update, '--name', 'upgrade', '--engine', engine];
  const { seconds, stdout } = await store.lamina(...words);
  const outcomes = JSON.parse(stdout).update.effects.map(({ outcome }) => outcome);
  if (outcomes.filter((each) => each === 'skipped').length !== skipped || outcomes.length !== changed + skipped)
    throw new Error(`of ${changed + skipped} containers: ${outcomes.join(', ')}`);
  await store.lamina('rollback', 'upgrade');
  return { seconds };
}

/** Measures the rows of these names, in turn. */
export async function updateRows({ checkout, scratch, laminafs, options }, rows) {
  const functions = await functionsOf(checkout);
  const { lower, index } = debianLower(checkout, scratch);
  const directory = join(scratch, 'mounts');
  mkdirSync(directory);
  const place = { lower, index, directory, laminafs };
  const seconds = {};
  const messages = {};
  const names = available(
    place,
    mounts.filter((name) => rows.includes(name)),
  );
  const chosen = Object.entries(fleets).filter(([name]) => rows.includes(name));
  for (let round = 0; round < options.rounds; round++) {
    const record = (name, result) => {
      process.stderr.write(`${new Date().toISOString()} ${name}: ${duration(result.seconds)}\n`);
      (seconds[name] ??= []).push(result.seconds);
      messages[name] = result.messages;
    };
    for (const name of names) record(name, await inMount(name, place, functions, join(scratch, 'upgrade')));
    for (const [name, fleet] of chosen) {
      const at = join(scratch, 'fleet');
      const store = await storeOf(checkout, functions, at, fleet);
      const update = join(scratch, 'package');
      cpSync(debianImages(checkout).upgrade, update, { recursive: true });
      record(name, await applied(store, update, fleet));
      rmSync(at, { recursive: true });
      rmSync(update, { recursive: true });
    }
  }
  return { seconds, messages };
}

const measure = async (context) => updateRows(context, [...mounts, ...Object.keys(fleets)]);

/** The median of the rounds' own ratios. */
const ratio = (values, others) => median(values.map((value, round) => value / others[round]));

function aims(seconds) {
  const times = (value) => number(value);
  // What `lamina update apply` mounts here.
  const servicing = seconds[byRing] === undefined ? supervised : byRing;
  const each = (fleet) =>
    median(seconds[fleet].map((value, round) => (value - seconds[base][round]) / 4 / seconds[kernel][round]));
  return [
    ['servicing mount / kernel overlayfs', ratio(seconds[servicing], seconds[kernel]), 1.3, times],
    ['`update apply`, the base alone / the flat copy', ratio(seconds[base], seconds[flat]), 1.6, times],
    ['each affected container, fuse / kernel overlayfs', each(affected), 0.65, times],
    ['each affected container, kernel / kernel overlayfs', each(affectedByKernel), 0.65, times],
  ];
}

function messagesText(messages) {
  const columns = Object.keys(messages).filter((name) => messages[name] !== undefined && messages[name] !== null);
  const kinds = [...new Set(columns.flatMap((name) => Object.keys(messages[name])))];
  const total = (kind) => Math.max(...columns.map((name) => messages[name][kind] ?? 0));
  const rows = kinds.sort((a, b) => total(b) - total(a)).filter((kind) => total(kind) >= 100);
  const all = columns.map((name) => Object.values(messages[name]).reduce((sum, count) => sum + count, 0));
  return table(
    ['messages', ...columns],
    [...rows.map((kind) => [kind, ...columns.map((name) => messages[name][kind] ?? 0)]), ['all', ...all]],
  );
}

export const section = {
  name: 'servicing',
  title: 'An update',
  measure,
  text({ seconds, messages }) {
    const lines = Object.entries(seconds).map(([name, values]) => [
      name === flat ? 'a flat copy' : name,
      `${duration(median(values))} ${percent(spread(values))}`,
      number(ratio(values, seconds[flat])),
      number(ratio(values, seconds[kernel])),
    ]);
    return `The Debian upgrade of \`images/debian\`, ${rounds(seconds[flat].length)} with all rows in turn; ratios are medians of the rounds' own. The first rows run it in a
mount, in the sandbox that an update has; \`laminafs, servicing\` is what \`lamina update apply\` mounts: supervised, with journal and read set; over io_uring a driver cannot be supervised. The last rows are whole commands, from the start of the process
to the published update; an *affected* container has an \`/etc/passwd\` of its own and is run.

${table(['where', 'time', '/ flat copy', '/ kernel overlayfs'], lines)}

${targets(aims(seconds))}

${messagesText(messages)}`;
  },
};
