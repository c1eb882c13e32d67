// The table of drivers: every workload on every driver in turn, several rounds.
import { available, compared, drivers, kernelDefaults } from './drivers.mjs';
import { debianLower, smallFiles } from './input.mjs';
import { dropCaches, timed, timing } from './shell.mjs';
import { chart } from './chart.mjs';
import { driversText } from './drivers-text.mjs';
import { mountCycle, workloads } from './workloads.mjs';

function runWorkload(workload, mount, record) {
  if (workload.prepare) timed(workload.prepare, mount.root);
  try {
    if (workload.drop) dropCaches(workload.drop);
    record(workload.name, timed(workload.script, mount.root));
  } finally {
    if (workload.finish) timed(workload.finish, mount.root);
  }
}

/** Calls `work`; where it fails on a driver that may fail, the failure is what is recorded. */
function forgiving(driver, workload, fail, work) {
  try {
    work();
  } catch (error) {
    if (drivers[driver].limits === undefined) throw error;
    fail(workload, error.message.trim().split('\n').at(-1));
  }
}

function runWorkloads(driver, place, chosen, { record, fail }) {
  let mount = drivers[driver].mount(place);
  try {
    for (const workload of chosen) {
      if (workload.without?.includes(driver)) continue;
      if (workload.fresh) {
        mount.end();
        mount = drivers[driver].mount(place);
      }
      forgiving(driver, workload.name, fail, () => runWorkload(workload, mount, record));
    }
  } finally {
    mount.end();
  }
}

/** What is mounted for the time of a mount: with containers, those that are there already. */
function readyOf(driver, place) {
  const { ready, cycle: ofMount, mount } = drivers[driver];
  return ready?.(place) ?? { mount: () => (ofMount ?? mount)(place), done: () => undefined };
}

function cycle(driver, place, record) {
  const { mount, done } = readyOf(driver, place);
  try {
    mount().end(); // removes what was written in the mounts before
    const seconds = timing(() => {
      const mounted = mount();
      timed('stat .', mounted.root);
      mounted.end();
    });
    record(mountCycle.name, seconds);
  } finally {
    done();
  }
}

/** One round of the chosen workloads: figures by workload and driver, and what failed. */
function round(names, place, chosen, cycled) {
  const seconds = {};
  const failures = [];
  for (const driver of names) {
    process.stderr.write(`${new Date().toISOString()} ${driver}\n`);
    const record = (workload, figure) => ((seconds[workload] ??= {})[driver] = figure);
    const fail = (workload, why) => failures.push({ driver, workload, why });
    runWorkloads(driver, place, chosen, { record, fail });
    if (cycled) cycle(driver, place, record);
  }
  return { seconds, failures };
}

/** Where rounds are added, the drivers must be those of the rounds before: every round has them all in turn. */
function begin(earlier, names) {
  if (earlier === undefined) return { names, rounds: 0, overlayfs: kernelDefaults(), seconds: {}, failures: [] };
  if (earlier.names.join() !== names.join())
    throw new Error(
      `the rounds so far are of ${earlier.names.join(', ')}, these are of ${names.join(', ')}: leave out --more`,
    );
  return earlier;
}

function addRound(data, { seconds, failures }) {
  for (const [workload, byDriver] of Object.entries(seconds)) {
    const all = (data.seconds[workload] ??= {});
    for (const [driver, figure] of Object.entries(byDriver)) (all[driver] ??= []).push(figure);
  }
  data.failures.push(...failures);
  data.rounds++;
}

export const section = {
  name: 'drivers',
  title: 'Drivers',
  measure({ checkout, scratch, options, laminafs, earlier, keep }) {
    smallFiles(scratch);
    const place = { ...debianLower(checkout, scratch), directory: scratch, laminafs };
    const names = available(place, options.drivers?.split(';') ?? compared);
    const only = options.only?.split(';') ?? [''];
    const wanted = ({ name }) => only.some((part) => name.includes(part));
    const chosen = workloads(scratch).filter(wanted);
    const data = begin(earlier, names);
    for (let i = 0; i < options.rounds; i++) {
      addRound(data, round(names, place, chosen, wanted(mountCycle)));
      keep(data);
    }
    return data;
  },
  text: driversText,
  pictures: (data) => ({ 'benchmarks.svg': chart(data) }),
};
