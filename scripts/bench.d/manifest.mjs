// What the manifest of a large store costs.
import { mkdirSync, writeFileSync } from 'node:fs';

import { functionsOf, timedCommand } from './orchestrator.mjs';
import { median } from './statistics.mjs';
import { duration, table, targets } from './text.mjs';

/** Containers × updates that give about 10,000 nodes: many containers, and long chains. */
const shapes = [
  [5000, 0],
  [1000, 5],
  [100, 50],
  [10, 500],
];

const hex = (number) => number.toString(16).padStart(16, '0');
const created = '2026-01-01T00:00:00.000Z';

const layer = (number) => `${number === 0 ? 'b' : 'd'}-${hex(number)}`;
const update = (number) => `u-${hex(number)}`;

/** The manifest of a store in which each update had a side effect in each container. */
class StoreOfMany {
  constructor(empty, containers, updates) {
    this.updates = updates;
    this.manifest = { ...empty, generation: 1, nodes: {}, bases: {}, containers: {}, updates: {} };
    this.manifest.bases.debian = { root: layer(0), head: layer(updates), image: null, version: null, created };
    this.node(layer(0), 'base-layer', {});
    for (let number = 1; number <= updates; number++) this.update(number);
    for (let number = 0; number < containers; number++) this.container(number);
  }

  node(id, kind, edges) {
    const none = { parent: null, layer: null, update: null, image: null, merged: [] };
    this.manifest.nodes[id] = { kind, ...none, sealed: true, entries: 5, bytes: 100, created, ...edges };
  }

  update(number) {
    const place = { parent: layer(number - 1), layer: layer(number) };
    this.node(layer(number), 'delta-layer', { parent: place.parent, update: update(number) });
    const told = { name: `update-${number}`, base: 'debian', version: null, description: null };
    const procedure = { kind: 'script', hash: hex(number) };
    this.manifest.updates[update(number)] = {
      ...told,
      ...place,
      state: 'committed',
      created,
      procedure,
      image: null,
      effects: [],
    };
  }

  container(number) {
    const name = `c${number}`;
    const id = (place) => hex(number * 10_000 + place);
    let parent = null;
    for (let i = 1; i <= this.updates; i++) {
      const [sealed, storage, top] = [`s-${id(i)}`, `e-${id(i)}`, `s-${id(i + 1)}`];
      this.node(sealed, 'storage', { parent, layer: layer(i - 1) });
      this.node(storage, 'delta-storage', { parent: sealed, layer: layer(i), update: update(i) });
      const effect = { container: name, outcome: 'changed', storage, sealed, top, entries: 5, conflicts: 0 };
      this.manifest.updates[update(i)].effects.push(effect);
      parent = storage;
    }
    const top = { layer: layer(this.updates), storage: `s-${id(this.updates + 1)}` };
    this.node(top.storage, 'storage', { parent, layer: top.layer, sealed: false, entries: 0, bytes: 0 });
    this.manifest.containers[name] = { base: 'debian', ...top, created };
  }
}

/**
 * Run in a process of its own, as a command would: the first time that its code runs. It reads a manifest that was
 * checked when it was published, adds a container, and publishes that.
 */
const once = `
import { readFileSync } from 'node:fs';
const [bundle, root] = process.argv.slice(1);
const bench = await import(bundle);
const paths = new bench.StorePaths(bench.fromText(root));
const laps = {};
let at = performance.now();
const lap = (name) => { const now = performance.now(); laps[name] = (now - at) / 1000; at = now; };
const bytes = readFileSync(paths.manifest);
if (!bench.wasChecked(paths, [bytes])) throw new Error('it was not checked');
const text = bytes.toString('utf8');
const { manifest } = bench.readManifest(text, paths.manifest, true);
lap('load');
const container = { name: 'new', base: 'debian', storage: 's-ffffffffffffffff', created: new Date().toISOString() };
const next = bench.createContainer(manifest, container);
const faults = bench.checkStep(manifest, next);
lap('check');
const written = bench.manifestBytes(next, { manifest, text, bytes });
await bench.writeFileDurably(paths.manifest, written);
bench.recordChecked(paths, written);
lap('publish');
process.stdout.write(JSON.stringify({ laps, faults }));
`;

export const section = {
  name: 'manifest',
  title: 'The manifest',
  async measure({ checkout, scratch, options }) {
    const bench = await functionsOf(checkout);
    mkdirSync(scratch, { recursive: true });
    const paths = new bench.StorePaths(bench.fromText(scratch));
    const rows = [];
    for (const [containers, updates] of shapes) {
      const { manifest } = new StoreOfMany(bench.emptyManifest(), containers, updates);
      const faults = bench.checkGraph(manifest);
      if (faults.length > 0) throw new Error(`the manifest is not sound: ${JSON.stringify(faults[0])}`);
      const text = bench.serialiseManifest(manifest);
      const laps = [];
      for (let round = 0; round < options.rounds; round++) {
        writeFileSync(paths.manifest, text);
        bench.recordChecked(paths, [Buffer.from(text)]);
        const program = ['--input-type=module', '-e', once, bench.bundle, scratch];
        const { stdout } = await timedCommand(process.execPath, program);
        const result = JSON.parse(stdout);
        if (result.faults.length > 0) throw new Error(`the manifest is not sound: ${JSON.stringify(result.faults[0])}`);
        laps.push(result.laps);
      }
      const of = (name) => median(laps.map((each) => each[name]));
      const nodes = Object.keys(manifest.nodes).length;
      rows.push({ containers, updates, nodes, load: of('load'), check: of('check'), publish: of('publish') });
    }
    return rows;
  },
  text(rows) {
    const head = ['containers', 'updates', 'nodes', 'load', 'change and check', 'write and sync', 'together'];
    const lines = rows.map(({ containers, updates, nodes, load, check, publish }) => [
      ...[containers, updates, nodes],
      ...[load, check, publish, load + check + publish].map(duration),
    ]);
    const aims = rows.map(({ containers, updates, nodes, load, check, publish }) => [
      `${nodes} nodes of ${containers} containers and ${updates} updates: load, check what changed, publish`,
      load + check + publish,
      0.1,
      duration,
    ]);
    return `Adding a container, in a process of its own as a command does it, nothing compiled before.\n\n${table(head, lines)}\n\n${targets(aims)}`;
  },
};
