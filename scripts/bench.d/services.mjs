// Services of Debian packages in the root of each driver, in turn: what each does a second beside the kernel's overlay.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { available, drivers } from './drivers.mjs';
import { run } from './shell.mjs';
import { median, spread } from './statistics.mjs';
import { number, percent, table } from './text.mjs';

const services = ['nginx', 'sshd', 'git', 'postgresql', 'mariadb', 'redis'];
const reference = 'overlayfs';
const compared = [reference, 'fuse-overlayfs', 'laminafs, stateless', 'laminafs, passthrough'];

/** What `images/services/exercise` prints, in words. */
const names = {
  requests: 'nginx, requests of small pages',
  logins: 'sshd, logins',
  'pushed-files': 'git daemon, files pushed',
  'cloned-files': 'git daemon, files cloned',
  transactions: 'PostgreSQL, `pgbench -c 2`, scale 10, transactions',
  reads: 'PostgreSQL, `pgbench -c 2 -S`, transactions',
  'vacuumed-rows': 'PostgreSQL, `VACUUM FULL`, rows',
  inserts: 'MariaDB, inserts, each a synced transaction',
  sets: 'Redis, `redis-benchmark -t set`, appendonly',
};

/** A store whose base is the root of services, which serves as the lower. */
function servicesLower(checkout, scratch) {
  run(join(checkout, 'images/services/build'), [], { stdio: ['ignore', 'ignore', 'inherit'] });
  const store = join(scratch, 'store-of-services');
  if (!existsSync(store)) {
    const lamina = (...args) => run(join(checkout, 'scripts/lamina'), ['--store', store, ...args]);
    lamina('init');
    lamina('base', 'import', 'services', join(checkout, 'build/images/services.tar'));
  }
  const [layer] = readdirSync(join(store, 'nodes'));
  const directory = join(scratch, 'services');
  mkdirSync(directory, { recursive: true });
  return { lower: join(store, 'nodes', layer, 'tree'), index: join(store, 'nodes', layer, 'index'), directory };
}

/** Figures of a service by their names: operations a second. */
function figuresOf(checkout, root, service) {
  const printed = run(join(checkout, 'images/services/in-root'), [root, service, 'large']);
  return [...printed.matchAll(/^figure (\S+) ([0-9.]+)$/gm)].map(([, name, value]) => [name, Number(value)]);
}

function round({ checkout }, place, chosen, figures) {
  for (const driver of figures.drivers)
    for (const service of chosen) {
      process.stderr.write(`${new Date().toISOString()} ${driver}: ${service}\n`);
      const mount = drivers[driver].mount(place);
      try {
        for (const [name, value] of figuresOf(checkout, mount.root, service))
          ((figures.rates[name] ??= {})[driver] ??= []).push(value);
      } finally {
        mount.end();
      }
    }
}

/** More than 1 is faster than the reference. */
const ratio = (values, others) => median(values.map((value, i) => value / others[i]));

function cell(rates, driver) {
  const values = rates[driver];
  const figure = `${number(median(values))} ${percent(spread(values))}`;
  return rates[reference] === undefined ? figure : `**${number(ratio(values, rates[reference]))}** ${figure}`;
}

/** @type {import('./sections.mjs').Section} */
export const section = {
  name: 'services',
  title: 'Services',
  measure(context) {
    const { checkout, scratch, laminafs, options, keep } = context;
    const place = { ...servicesLower(checkout, scratch), laminafs };
    const only = options.only?.split(';') ?? [''];
    const chosen = services.filter((service) => only.some((part) => service.includes(part)));
    const figures = { drivers: available(place, options.drivers?.split(';') ?? compared), rates: {}, rounds: 0 };
    for (let i = 0; i < options.rounds; i++) {
      round(context, place, chosen, figures);
      figures.rounds++;
      keep(figures);
    }
    return figures;
  },
  text({ drivers: measured, rates, rounds }) {
    const lines = Object.entries(rates).map(([name, byDriver]) => [
      names[name] ?? name,
      ...measured.map((driver) => cell(byDriver, driver)),
    ]);
    return `Services of Debian packages in a container's root, each started, used and ended in a fresh mount; medians of ${rounds} rounds, the drivers in turn. **Bold**: the rate beside that of overlayfs, where more is better; then operations a second.

${table(['service', ...measured], lines)}`;
  },
};
