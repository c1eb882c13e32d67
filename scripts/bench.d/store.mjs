// What the commands on a store take: merge, verify, recover, rollback. What the CLI does not know yet is left out.
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { debianImages } from './input.mjs';
import { makeContainers, procedure } from './fleet.mjs';
import { functionsOf, knows, storeAt } from './orchestrator.mjs';
import { dropCaches, pause, timed } from './shell.mjs';
import { duration, number, table } from './text.mjs';

const updates = 20;
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

/** Twenty updates that each change about as much as the Debian upgrade does: its packages' files, rewritten. */
async function merging({ checkout, scratch }) {
  const store = await storeWithDebian(checkout, join(scratch, 'merge'));
  const tree = await layerOf(store);
  dropCaches('all');
  const copy = timed(`cp -a --reflink=never . ${scratch}/copied && sync`, tree);
  rmSync(join(scratch, 'copied'), { recursive: true });
  for (let i = 0; i < updates; i++) {
    const text = `#!/bin/sh\nset -e\nfind /usr/bin /usr/lib/git-core /usr/lib/python3.11 -xdev -type f -size -2000k | awk 'NR % 2 == ${i % 2}' | while read -r f; do cp -p "$f" "$f.new"; echo ${i} >> "$f.new"; mv "$f.new" "$f"; done\n`;
    await store.lamina('update', 'apply', 'debian', script(scratch, `merge-${i}`, text));
  }
  dropCaches('all');
  const { seconds } = await store.lamina('merge', 'debian', '--yes');
  return {
    what: `\`merge\` of ${updates} delta layers`,
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
  await store.lamina('update', 'apply', 'debian', script(scratch, 'service', procedure), '--name', 'service');
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
    ]);
    return `Whole commands, the start of Node included.\n\n${table(['command', 'time', 'beside', 'target'], lines)}`;
  },
};
