// Images in and out: a Debian image of several layers, beside umoci and podman, in turn.
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { debianImages } from './input.mjs';
import { storeAt, timedCommand } from './orchestrator.mjs';
import { dropCaches, run } from './shell.mjs';
import { median } from './statistics.mjs';
import { duration, number, size, table } from './text.mjs';

const has = (program) => {
  try {
    run('which', [program]);
    return true;
  } catch {
    return false;
  }
};

/** Updates that each become a layer: files of many sizes, some of them written anew. */
const updates = {
  usr: 'cp -a /usr/share/doc /usr/share/doc.copy',
  etc: 'for each in /etc/*.conf; do echo "# a line" >>"$each"; done',
  lib: 'cp -a /usr/lib/x86_64-linux-gnu /usr/lib/copied; rm -rf /usr/share/man',
};

/** A layout with the images `debian`, of four layers, and `newer`, which has one more. */
async function makeImages({ checkout, scratch }) {
  const store = storeAt(checkout, join(scratch, 'maker'));
  const layout = join(scratch, 'layout');
  await store.lamina('init');
  await store.lamina('base', 'import', 'debian', debianImages(checkout).root);
  const apply = async (name, text) => {
    const script = join(scratch, name);
    writeFileSync(script, `#!/bin/sh\nset -e\n${text}\n`);
    chmodSync(script, 0o755);
    await store.lamina('update', 'apply', 'debian', script, '--name', name);
  };
  for (const [name, text] of Object.entries(updates)) await apply(name, text);
  await store.lamina('export', 'debian', `oci:${layout}:debian`);
  await apply('newer', 'cp -a /usr/bin /usr/bin.copy');
  await store.lamina('export', 'debian', `oci:${layout}:newer`);
  const archive = join(scratch, 'debian.tar');
  run('skopeo', ['copy', '--quiet', `oci:${layout}:debian`, `oci-archive:${archive}:debian`]);
  rmSync(store.directory, { recursive: true });
  return { layout, archive };
}

/** One round of everything, each with dropped caches. */
async function round({ checkout, scratch }, { layout, archive }, figures) {
  const place = join(scratch, 'round');
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  const store = storeAt(checkout, join(place, 'store'));
  const podman = ['--root', join(place, 'podman'), '--runroot', join(place, 'podman-run')];
  const measure = async (name, work) => {
    dropCaches('all');
    (figures[name] ??= []).push((await work()).seconds);
  };
  const lamina =
    (...args) =>
    () =>
      store.lamina(...args);
  await store.lamina('init');
  await measure('import', lamina('base', 'import', 'debian', `oci:${layout}:debian`));
  await measure('import again', lamina('base', 'import', 'newer', `oci:${layout}:newer`));
  await measure('umoci unpack', () =>
    timedCommand('umoci', ['unpack', '--image', `${layout}:debian`, join(place, 'b')]),
  );
  if (has('podman'))
    await measure('podman load', () => timedCommand('podman', [...podman, 'load', '--input', archive]));
  for (const form of ['docker-archive', 'oci-archive']) {
    const file = join(place, form);
    await measure(form, lamina('export', 'debian', `${form}:${file}:localhost/debian:1`));
    figures[`${form} bytes`] = statSync(file).size;
    if (!has('podman')) continue;
    const [image] = run('podman', [...podman, 'images', '--quiet'])
      .trim()
      .split('\n');
    const saved = join(place, `${form}.podman`);
    const args = [...podman, 'save', '--format', form, '--output', saved, image];
    await measure(`podman save, ${form}`, () => timedCommand('podman', args));
    figures[`podman ${form} bytes`] = statSync(saved).size;
  }
  await update({ place, layout, store, lamina, measure });
  if (has('podman')) run('podman', [...podman, 'rmi', '--all', '--force']);
  if (existsSync(join(place, 'podman'))) run('rm', ['-rf', join(place, 'podman')]);
}

/** A newer image under many containers, of which few overlap it; beside it a comparison of the two trees. */
async function update({ place, layout, store, lamina, measure }) {
  await store.lamina('base', 'remove', 'newer');
  for (let i = 0; i < 100; i++) await store.lamina('create', `c${i}`, '--base', 'debian');
  for (let i = 0; i < 5; i++)
    await store.lamina('run', `c${i}`, '--', 'sh', '-c', 'mkdir /usr/bin.copy; echo mine >/usr/bin.copy/ls');
  run('umoci', ['unpack', '--image', `${layout}:newer`, join(place, 'n')]);
  const trees = [join(place, 'b/rootfs'), join(place, 'n/rootfs')];
  // It ends with 1, because they differ.
  const compare = 'diff -rq --no-dereference "$1" "$2" >/dev/null; test $? -eq 1';
  await measure('diff -r of the two trees', () => timedCommand('sh', ['-c', compare, 'sh', ...trees]));
  await measure('image update', lamina('update', 'apply', 'debian', `oci:${layout}:newer`));
}

const rows = [
  ['`base import` of four layers', 'import', 'umoci unpack', 1],
  ['`base import` of four layers', 'import', 'podman load', 1],
  ['`base import` of one more layer', 'import again', 'import', 1],
  ['`update apply` of a newer image, 100 containers, 5 overlap', 'image update', 'diff -r of the two trees', 8],
  ['`export` to `docker-archive:`', 'docker-archive', 'podman save, docker-archive', 1],
  ['`export` to `oci-archive:`', 'oci-archive', 'podman save, oci-archive', 1],
];

/** @type {import('./sections.mjs').Section} */
export const section = {
  name: 'images',
  title: 'Images in and out',
  async measure(context) {
    const images = await makeImages(context);
    const figures = {};
    for (let i = 0; i < context.options.rounds; i++) {
      process.stderr.write(`images: round ${i + 1}\n`);
      await round(context, images, figures);
      context.keep(figures);
    }
    return figures;
  },
  text(figures) {
    const lines = rows
      .filter(([, what, beside]) => figures[what] !== undefined && figures[beside] !== undefined)
      .map(([words, what, beside, most]) => {
        const [seconds, by] = [median(figures[what]), median(figures[beside])];
        const held = seconds <= by * most ? 'held' : '**missed**';
        return [
          words,
          duration(seconds),
          `\`${beside}\`: ${duration(by)}`,
          `${number(seconds / by)}, at most ${most}`,
          held,
        ];
      });
    const sizes = ['docker-archive', 'oci-archive'].map(
      (form) => `\`${form}:\` ${size(figures[`${form} bytes`])}, podman's ${size(figures[`podman ${form} bytes`])}`,
    );
    return `A Debian image of four layers, caches dropped before each command; medians. Archives: ${sizes.join('; ')}.

${table(['command', 'time', 'beside', 'ratio', ''], lines)}`;
  },
};
