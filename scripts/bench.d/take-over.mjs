// Five clones of a Debian root taken over onto one base, beside reading each and copying what differs.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { debianImages } from './input.mjs';
import { storeAt, timedCommand } from './orchestrator.mjs';
import { dropCaches, run } from './shell.mjs';
import { median } from './statistics.mjs';
import { duration, number, size, table } from './text.mjs';

const clones = ['a', 'b', 'c', 'd', 'e'];
/** At most so often what it is measured beside. */
const most = 1.5;

/** What each becomes of its own: files of many sizes, as packages bring them. */
const change = (name) => `
  cp -a usr/share/doc usr/share/doc.${name}; cp -a usr/lib/python3 usr/lib/python3.${name}
  cp -a usr/bin/git usr/bin/git.${name}; rm -r usr/share/man; echo ${name} >etc/hostname`;

/** @returns how much the clones hold, and what of it their storages hold */
async function round({ checkout, scratch }, figures) {
  const place = join(scratch, 'take-over');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(join(place, 'root'), { recursive: true });
  const at = (...parts) => join(place, ...parts);
  run('tar', ['-C', at('root'), '--xattrs', '--xattrs-include=*', '-xf', debianImages(checkout).root]);
  for (const name of clones) {
    run('cp', ['-a', at('root'), at(name)]);
    run('sh', ['-ec', change(name)], { cwd: at(name) });
  }
  const store = storeAt(checkout, at('store'));
  await store.lamina('init');
  await store.lamina('base', 'import', 'debian', at('root'));
  const taken = [];
  dropCaches('all');
  const seconds = [];
  for (const name of clones) {
    seconds.push((await store.lamina('create', name, '--base', 'debian', '--from', at(name))).seconds);
  }
  const { nodes } = await store.json('status');
  for (const { id, kind, sealed } of nodes) if (kind === 'storage' && sealed) taken.push(at('store/nodes', id, 'tree'));
  dropCaches('all');
  const read = [];
  for (const name of clones) {
    const script = 'find "$0" -xdev -type f -exec cat {} + >/dev/null';
    read.push((await timedCommand('sh', ['-c', script, at(name)])).seconds);
  }
  dropCaches('all');
  const copied = [];
  for (const [i, tree] of taken.entries())
    copied.push((await timedCommand('sh', ['-c', 'cp -a "$0" "$1"; sync -f "$1"', tree, at(`copy${i}`)])).seconds);
  const sum = (values) => values.reduce((all, each) => all + each, 0);
  (figures.takeOver ??= []).push(sum(seconds));
  (figures.read ??= []).push(sum(read));
  (figures.copy ??= []).push(sum(copied));
  figures.bytes = nodes.filter(({ kind }) => kind === 'storage').reduce((all, { bytes }) => all + bytes, 0);
  figures.baseBytes = nodes.find(({ kind }) => kind === 'base-layer').bytes;
  rmSync(place, { recursive: true });
}

/** @type {import('./sections.mjs').Section} */
export const section = {
  name: 'take-over',
  title: 'Taking over clones',
  async measure(context) {
    const figures = {};
    for (let i = 0; i < context.options.rounds; i++) {
      process.stderr.write(`take-over: round ${i + 1}\n`);
      await round(context, figures);
      context.keep(figures);
    }
    return figures;
  },
  text({ takeOver, read, copy, bytes, baseBytes }) {
    const [own, reading, copying] = [takeOver, read, copy].map(median);
    const ratio = own / (reading + copying);
    const row = [
      `\`create --from\` of ${clones.length} clones`,
      duration(own),
      duration(reading),
      duration(copying),
      `${number(ratio)}, at most ${most}`,
      ratio <= most ? 'held' : '**missed**',
    ];
    return `Five clones of a Debian root (${size(baseBytes)}) of which each has some files of its own; together their storages hold ${size(bytes)}. Caches dropped before; medians. Beside it: each clone read once, by \`cat\`, and what differs copied, by \`cp -a\` and \`sync\`.

${table(['', 'time', 'read once', '`cp -a` of what differs', 'ratio to both', ''], [row])}`;
  },
};
