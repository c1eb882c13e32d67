// What the commands on a store take: merge, verify, recover, rollback. What the CLI does not know yet is left out.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { debianImages } from './input.mjs';
import { makeContainers, procedure } from './fleet.mjs';
import { functionsOf, knows, storeAt } from './orchestrator.mjs';
import { dropCaches, pause, timed } from './shell.mjs';
import { duration, number, size, table } from './text.mjs';

const containers = 100;

async function storeWithDebian(checkout, directory) {
  const store = storeAt(checkout, directory);
  await store.lamina('init');
  await store.lamina('base', 'import', 'debian', debianImages(checkout).root);
  return store;
}

const layerOf = async (store) =>
  join(store.directory, 'nodes', (await store.json('base', 'list')).bases[0].head, 'tree');

function script(scratch, name, text) {
  const path = join(scratch, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** `verify` of the store that holds the Debian root, against one core that hashes its files. */
async function verifying({ checkout, scratch }) {
  const store = await storeWithDebian(checkout, join(scratch, 'verify'));
  const tree = await layerOf(store);
  dropCaches('all');
  const sums = timed('find . -xdev -type f -print0 | xargs -0 sha1sum > /dev/null', tree);
  dropCaches('all');
  const verify = (await store.lamina('verify')).seconds;
  return {
    what: '`verify` of the Debian store, caches dropped',
    seconds: verify,
    compared: '`sha1sum` of its files, one core',
    by: sums,
    most: 2,
  };
}

/** Writes each file of a list anew, longer by a line: as an upgrade replaces the files of its packages. */
const rewriting = `#!/usr/bin/python3
import os, shutil
with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), 'paths'), 'rb') as file:
    paths = file.read().split(b'\\0')
for path in paths[:-1]:
    shutil.copy2(path, path + b'.new')
    with open(path + b'.new', 'ab') as copy:
        copy.write(b'\\n')
    os.rename(path + b'.new', path)
`;

/** A package that rewrites the files below /usr that a layer holds. */
function rewritingPackage(scratch, tree) {
  const directory = join(scratch, 'rewriting');
  mkdirSync(directory);
  writeFileSync(join(directory, 'update.json'), '{"version": 1, "procedure": "rewrite"}');
  script(directory, 'rewrite', rewriting);
  timed(`find usr -type f -printf '/%p\\0' > ${directory}/paths`, tree);
  return directory;
}

/** The Debian upgrade, and updates that each rewrite what it changed. */
async function merging({ checkout, scratch, options }) {
  const store = await storeWithDebian(checkout, join(scratch, 'merge'));
  const tree = await layerOf(store);
  dropCaches('all');
  const copy = timed(`cp -a --reflink=never . ${scratch}/copied && sync`, tree);
  rmSync(join(scratch, 'copied'), { recursive: true });
  await store.lamina('update', 'apply', 'debian', debianImages(checkout).upgrade);
  const again = rewritingPackage(scratch, await layerOf(store));
  for (let i = 1; i < options.updates; i++) {
    // The same package twice is refused.
    writeFileSync(join(again, 'round'), `${i}`);
    await store.lamina('update', 'apply', 'debian', again, '--name', `rewriting-${i}`);
  }
  const { nodes } = await store.json('status');
  const deltas = nodes.filter(({ kind }) => kind === 'delta-layer');
  const least = (of) => Math.min(...deltas.map((each) => each[of]));
  dropCaches('all');
  const { seconds } = await store.lamina('merge', 'debian', '--yes');
  return {
    what: `\`merge\` of ${deltas.length} delta layers, each of ${least('entries')} entries and ${size(least('bytes'))} at least, caches dropped`,
    seconds,
    compared: '`cp -a` of the root, synced',
    by: copy,
    most: 1,
  };
}

/** An update is killed in the middle of its run; the next command finds it. */
async function recovering({ checkout, scratch }) {
  const store = await storeWithDebian(checkout, join(scratch, 'recover'));
  const slow = script(scratch, 'slow', '#!/bin/sh\ncp -a /usr/share /srv/share\ntouch /srv/copied\nsleep 60\n');
  const child = spawn(
    process.execPath,
    [join(checkout, 'dist/lamina.js'), '--store', store.directory, 'update', 'apply', 'debian', slow],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.on('close', resolve));
  const transactions = join(store.directory, 'transactions');
  const copied = () =>
    readdirSync(transactions).some((id) => existsSync(join(transactions, id, 'runs/base/upper/srv/copied')));
  for (let waited = 0; !copied(); waited += 100) {
    if (waited > 120_000) throw new Error('the update to be killed did not come to its middle');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill('SIGKILL');
  await ended;
  pause(500);
  const { seconds } = await store.lamina('recover');
  if (readdirSync(transactions).length > 0) throw new Error('recover left the killed transaction');
  return { what: '`recover` after a killed update', seconds, limit: 1 };
}

async function rollingBack({ checkout, scratch }) {
  const store = await storeWithDebian(checkout, join(scratch, 'rollback'));
  const trees = await makeContainers(await functionsOf(checkout), store.directory, containers);
  trees.forEach((tree, i) => writeFileSync(join(tree, 'etc/motd'), `Debian of container ${i}\n`));
  const service = script(scratch, 'service', procedure);
  const { effects } = (await store.json('update', 'apply', 'debian', service, '--name', 'service')).update;
  const changed = effects.filter(({ outcome }) => outcome === 'changed').length;
  if (changed !== containers) throw new Error(`${changed} of ${containers} containers got a delta storage`);
  const { seconds } = await store.lamina('rollback', 'service');
  return {
    what: `\`rollback\` of an update over ${containers} containers, all with a delta storage`,
    seconds,
    limit: 1,
  };
}

const parts = { verify: verifying, merge: merging, recover: recovering, rollback: rollingBack };

export const section = {
  name: 'store',
  title: 'The store',
  async measure(context) {
    const rows = [];
    for (const [command, part] of Object.entries(parts)) {
      if (context.options.only !== undefined && !context.options.only.split(';').includes(command)) continue;
      if (!knows(context.checkout, command)) {
        process.stderr.write(`store: left out ${command}: lamina does not know it\n`);
        continue;
      }
      process.stderr.write(`store: ${command}\n`);
      rows.push(await part(context));
    }
    return rows;
  },
  text(rows) {
    const lines = rows.map(({ what, seconds, compared, by, most, limit }) => [
      what,
      duration(seconds),
      compared === undefined ? '' : `${compared}: ${duration(by)}`,
      compared === undefined ? `at most ${duration(limit)}` : `${number(seconds / by)} of it, at most ${most}`,
      seconds <= (limit ?? by * most) ? 'held' : '**missed**',
    ]);
    return `Whole commands, the start of Node included.\n\n${table(['command', 'time', 'beside', 'target', ''], lines)}`;
  },
};
