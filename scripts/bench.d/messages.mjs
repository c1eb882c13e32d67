// How many messages and system calls of the driver an operation takes.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';

import { available, drivers, processOf } from './drivers.mjs';
import { functionsOf } from './orchestrator.mjs';
import { dropCaches, run, timed } from './shell.mjs';
import { number, table } from './text.mjs';

const names = ['fuse-overlayfs', 'laminafs, stateless', 'laminafs, servicing', 'laminafs, passthrough'];
const files = 200;

/**
 * For `files` files each, in this order on one mount. `cold`: dentries and inodes dropped before, so that the kernel
 * knows no name of the mount. `lower/*` has the shell list the directory first, which is part of what is counted; only
 * the first gets all names.
 */
const operations = [
  {
    name: 'stat by name, dentries dropped',
    cold: true,
    script: `seq -f lower/f%g 0 ${files - 1} | xargs stat -c %i > /dev/null`,
  },
  { name: 'listing, and stat of each file, dentries dropped', cold: true, script: 'stat -c %i lower/* > /dev/null' },
  { name: 'the same again', script: 'stat -c %i lower/* > /dev/null' },
  { name: 'ls -l, dentries dropped', cold: true, script: 'ls -l lower > /dev/null' },
  { name: 'cat of a file of the lower, dentries dropped', cold: true, script: 'cat lower/* > /dev/null' },
  { name: 'cat again', script: 'cat lower/* > /dev/null' },
  { name: 'cp -a within the mount', script: 'cp -a lower copy' },
  { name: 'appending to a file of the lower', script: 'for f in lower/*; do echo >> $f; done' },
  { name: 'chmod of a file of the upper', script: 'chmod o-r copy/*' },
  {
    name: 'stat of an absent name, twice',
    script: `for time in 1 2; do seq -f lower/no%g ${files} | xargs stat 2> /dev/null || true; done`,
  },
  { name: 'chmod of a file of the lower', script: 'chmod o-r changed/*' },
  { name: 'rm -r of files of the lower', script: 'rm -r removed' },
  {
    name: 'listing after a file was made in the directory, and stat of each file',
    script: 'stat -c %i listed/* > /dev/null; : > listed/new; stat -c %i listed/* > /dev/null',
  },
  { name: 'untarring a file', script: 'mkdir new; tar -xf ../files.tar -C new' },
  { name: 'rm -r of files of the upper', script: 'rm -r new' },
];

async function makeInput({ checkout, scratch }) {
  const { scanTree, encodeIndex, fromText } = await functionsOf(checkout);
  const lower = join(scratch, 'files');
  for (const directory of ['lower', 'changed', 'removed', 'listed']) {
    mkdirSync(join(lower, directory), { recursive: true });
    for (let file = 0; file < files; file++) writeFileSync(join(lower, directory, `f${file}`), 'x'.repeat(1500));
  }
  const index = join(scratch, 'files.index');
  writeFileSync(index, await encodeIndex(await scanTree(fromText(lower), { hash: true })));
  run('tar', ['-C', join(lower, 'lower'), '-cf', join(scratch, 'files.tar'), '.']);
  return { lower, index };
}

/** Requests of the kernel by kind; undefined where the driver does not count them. */
export const operationsOf = async ({ control }) =>
  control === undefined ? undefined : (await ask(control, 'statistics')).operations;

/** One request on a driver's control socket (docs/format-driver.md). */
async function ask(socket, command) {
  return new Promise((resolve, reject) => {
    let text = '';
    const connection = createConnection(socket, () => connection.write(`${JSON.stringify({ command })}\n`));
    connection.on('error', reject);
    connection.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('\n')) connection.end();
    });
    connection.on('close', () => {
      const answer = JSON.parse(text);
      if (answer.ok) resolve(answer);
      else reject(new Error(`${command}: ${answer.error}`));
    });
  });
}

/**
 * Calls of each kind that the processes of a mount make while `work` runs, counted by strace(1) line by line: its own
 * sums (`-c`) leave out calls that are newer than it, such as fchmodat2(2).
 */
async function traced(mount, report, filter, work) {
  const pids = processOf(mount.root).flatMap((pid) => ['-p', String(pid)]);
  const child = spawn(
    'strace',
    ['-f', '-s', '0', '-e', 'raw=all', '-e', 'signal=none', ...filter, '-o', report, ...pids],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  const ended = new Promise((resolve) => child.on('close', resolve));
  await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stderr.on('data', (chunk) => String(chunk).includes('attached') && resolve());
    child.on('close', () => reject(new Error('strace did not attach')));
  });
  work();
  child.kill('SIGINT');
  await ended;
  const calls = {};
  // A call that was cut in two by another thread's has a second line, "<... read resumed>".
  for (const [, name] of readFileSync(report, 'utf8').matchAll(/^\d+ +(\w+)\(/gm)) calls[name] = (calls[name] ?? 0) + 1;
  return calls;
}

const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);

/**
 * The messages of one operation: as the driver counts them, without FORGET, which has no answer; of a driver that does
 * not count, its replies, which are the calls that write to /dev/fuse.
 */
async function messagesOf(mount, report, work) {
  if (mount.control === undefined) {
    const calls = await traced(mount, report, ['-P', '/dev/fuse', '-e', 'trace=write,writev'], work);
    return { messages: sum(calls) };
  }
  const before = (await ask(mount.control, 'statistics')).operations;
  work();
  const after = (await ask(mount.control, 'statistics')).operations;
  const kinds = Object.fromEntries(
    Object.entries(after)
      .map(([name, count]) => [name, count - (before[name] ?? 0)])
      .filter(([name, count]) => count > 0 && !/forget/i.test(name)),
  );
  return { messages: sum(kinds), kinds };
}

/** Twice over, each on a mount of its own: for the messages, and for the system calls. */
async function measureDriver(driver, place, report) {
  const rows = operations.map(({ name }) => ({ driver, operation: name }));
  for (const what of ['messages', 'calls']) {
    const mount = drivers[driver].mount(place);
    try {
      for (const [i, { script, cold }] of operations.entries()) {
        if (cold) dropCaches('dentries');
        const work = () => timed(script, mount.root);
        if (what === 'messages') Object.assign(rows[i], await messagesOf(mount, report, work));
        else rows[i].calls = await traced(mount, report, [], work);
      }
    } finally {
      mount.end();
    }
  }
  return rows;
}

export const section = {
  name: 'messages',
  title: 'Messages and system calls',
  async measure(context) {
    const place = { ...(await makeInput(context)), directory: context.scratch, laminafs: context.laminafs };
    const rows = [];
    for (const driver of available(place, names)) {
      process.stderr.write(`messages: ${driver}\n`);
      rows.push(...(await measureDriver(driver, place, join(context.scratch, 'strace'))));
    }
    return rows;
  },
  text(rows) {
    const measured = names.filter((name) => rows.some(({ driver }) => driver === name));
    const head = ['operation', ...measured.flatMap((name) => [`${name}: messages`, 'calls'])];
    const lines = [...new Set(rows.map(({ operation }) => operation))].map((name) => [
      name,
      ...measured.flatMap((driver) => {
        const row = rows.find((each) => each.driver === driver && each.operation === name);
        return [number(row.messages / files), number(sum(row.calls) / files)];
      }),
    ]);
    return `For each file, of ${files} of 1,500 bytes: requests of the kernel but FORGET, and system calls of the driver's processes (counted by strace), reading requests and waiting for them included.
\`laminafs\` counts messages itself; of \`fuse-overlayfs\` the replies are counted. A row holds the listing of the directory as well, but where names are given one by one (stat by name, absent names,
untarring). [driver.md](driver.md) says which messages they are; [fuse-overlayfs-2.md](fuse-overlayfs-2.md) what the newest fuse-overlayfs needs for the same, read from its source.

${table(head, lines)}`;
  },
};
