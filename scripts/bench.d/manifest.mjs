// What the manifest of a large store costs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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
    this.manifest.bases.debian = { root: layer(0), head: layer(updates), version: null, created };
    this.node(layer(0), 'base-layer', {});
    for (let number = 1; number <= updates; number++) this.update(number);
    for (let number = 0; number < containers; number++) this.container(number);
  }

  node(id, kind, edges) {
    const none = { parent: null, layer: null, update: null, merged: [] };
    this.manifest.nodes[id] = { kind, ...none, sealed: true, entries: 5, bytes: 100, created, ...edges };
  }

  update(number) {
    const place = { parent: layer(number - 1), layer: layer(number) };
    this.node(layer(number), 'delta-layer', { parent: place.parent, update: update(number) });
    const told = { name: `update-${number}`, base: 'debian', version: null, description: null };
    const procedure = { kind: 'script', hash: hex(number) };
    this.manifest.updates[update(number)] = { ...told, ...place, state: 'committed', created, procedure, effects: [] };
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
 * Run in a process of its own, as a command would: the first time that its code runs. What it publishes differs from
 * what it read, as what a command publishes does.
 */
const once = `
import { readFileSync } from 'node:fs';
const [bundle, file] = process.argv.slice(1);
const { parseManifest, checkGraph, serialiseManifest, writeFileDurably } = await import(bundle);
const laps = {};
let at = performance.now();
const lap = (name) => { const now = performance.now(); laps[name] = (now - at) / 1000; at = now; };
const manifest = parseManifest(readFileSync(file, 'utf8'));
lap('load');
let faults = checkGraph(manifest);
lap('check');
const next = { ...manifest, generation: manifest.generation + 1, nodes: { ...manifest.nodes } };
faults = faults.concat(checkGraph(next));
await writeFileDurably(file, serialiseManifest(next));
lap('publish');
process.stdout.write(JSON.stringify({ laps, faults }));
`;

export const section = {
  name: 'manifest',
  title: 'The manifest',
  async measure({ checkout, scratch, options }) {
    const { bundle, emptyManifest, serialiseManifest } = await functionsOf(checkout);
    mkdirSync(scratch, { recursive: true });
    const rows = [];
    for (const [containers, updates] of shapes) {
      const { manifest } = new StoreOfMany(emptyManifest(), containers, updates);
      const file = join(scratch, 'manifest.json');
      writeFileSync(file, serialiseManifest(manifest));
      const laps = [];
      for (let round = 0; round < options.rounds; round++) {
        const { stdout } = await timedCommand(process.execPath, ['--input-type=module', '-e', once, bundle, file]);
        const result = JSON.parse(stdout);
        if (result.faults.length > 0) throw new Error(`the manifest is not sound: ${JSON.stringify(result.faults[0])}`);
        laps.push(result.laps);
      }
      const of = (name) => median(laps.map((each) => each[name]));
      const nodes = Object.keys(manifest.nodes).length;
      const bytes = readFileSync(file).length;
      rows.push({ containers, updates, nodes, bytes, load: of('load'), check: of('check'), publish: of('publish') });
    }
    return rows;
  },
  text(rows) {
    const head = ['containers', 'updates', 'nodes', 'load', 'check', 'check, write and sync', 'together'];
    const lines = rows.map(({ containers, updates, nodes, load, check, publish }) => [
      ...[containers, updates, nodes],
      ...[load, check, publish, load + check + publish].map(duration),
    ]);
    const aims = rows.map(({ containers, updates, nodes, load, check, publish }) => [
      `${nodes} nodes of ${containers} containers and ${updates} updates: load, check, publish`,
      load + check + publish,
      0.1,
      duration,
    ]);
    return `In a process of its own, as a command does it, nothing compiled before.\n\n${table(head, lines)}\n\n${targets(aims)}`;
  },
};
