import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { remove } from '../../../src/app/containers.js';
import { create } from '../../../src/app/create.js';
import { drawGraph } from '../../../src/app/graph.js';
import { importImage } from '../../../src/app/import-image.js';
import { merge } from '../../../src/app/merge.js';
import { rollback } from '../../../src/app/rollback.js';
import { fromText } from '../../../src/base/bytes.js';
import { checkGraph } from '../../../src/manifest/index.js';
import { setXattrSync } from '../../../src/platform/native.js';
import { isMachineRoot } from '../../../src/platform/privileges.js';
import { verify } from '../../../src/verify/index.js';
import { Layout, layerOf } from '../../support/layouts.js';
import { codeOf, detailsOf } from '../../support/snapshot-client.js';
import { serve } from './served.js';
import type { Served } from './served.js';

const signal = new AbortController().signal;
const containerLabel = 'containerd.io/snapshot/dev.lamina.container';
const web = { [containerLabel]: 'web' };

describe.skipIf(!isMachineRoot())('snapshots of containerd and the store', () => {
  let served: Served;
  let client: Served['client'];

  beforeEach(async () => {
    served = await serve();
    ({ client } = served);
  });
  afterEach(async () => {
    expect(checkGraph(await served.store.read())).toEqual([]);
    const { findings } = await verify(served.store, { nodes: [], quick: false, repair: false, signal });
    expect(findings).toEqual([]);
    await served.stop();
  });

  /** A committed snapshot with these files upon another. */
  async function image(name: string, files: Readonly<Record<string, string>>, parent = ''): Promise<void> {
    const [mount] = await client.prepare(`${name}-key`, parent);
    const upper = mount!.options.find((each) => each.startsWith('upperdir='))?.slice('upperdir='.length);
    for (const [path, content] of Object.entries(files)) {
      const at = join(upper ?? mount!.source, path);
      mkdirSync(join(at, '..'), { recursive: true });
      writeFileSync(at, content);
    }
    await client.commit(name, `${name}-key`);
  }

  /** Where a snapshot that shows a container is written to. */
  async function upperOf(key: string): Promise<string> {
    const [mount] = await client.mounts(key);
    return mount!.options.find((each) => each.startsWith('upperdir='))!.slice('upperdir='.length);
  }

  const updates = async () => Object.values((await served.store.read()).updates).map(({ name }) => name);

  describe('that show a container', () => {
    beforeEach(async () => {
      await image('old', { 'etc/a': 'a\n', 'etc/b': 'b\n' });
      await image('new', { 'etc/b': 'newer\n' }, 'old');
    });

    it('make it, on a base of its name, and leave it behind', async () => {
      await client.prepare('k1', 'old', web);
      writeFileSync(join(await upperOf('k1'), 'mine'), 'x');
      await client.remove('k1');
      const { containers, bases } = await served.store.read();
      expect(Object.keys(containers)).toEqual(['web']);
      expect(bases['web']).toMatchObject({ root: containers['web']!.layer });
      await client.prepare('k2', 'old', web);
      expect(readFileSync(join(await upperOf('k2'), 'mine'), 'utf8')).toBe('x');
      expect((await client.usage('k2')).inodes).toBeGreaterThanOrEqual(2);
      expect(await updates()).toEqual([]);
    });

    it('bring it to a newer image, and refuse the one it had', async () => {
      await client.prepare('k1', 'old', web);
      const top = await upperOf('k1');
      mkdirSync(join(top, 'etc'));
      writeFileSync(join(top, 'etc/a'), 'mine\n');
      await client.prepare('k2', 'new', web);
      expect(await updates()).toEqual(['web-image']);
      expect(await codeOf(client.mounts('k1'))).toBe('FAILED_PRECONDITION');
      expect(await detailsOf(client.mounts('k1'))).toContain('no longer shows a container');
      expect(await detailsOf(client.prepare('k3', 'old', web))).toContain('lamina rollback web-image');
      await client.remove('k1');
      await client.remove('k2');
      await rollback(served.store, 'web-image', {});
      await client.prepare('k4', 'old', web);
      expect(readFileSync(join(await upperOf('k4'), 'etc/a'), 'utf8')).toBe('mine\n');
    });

    it('of the same content that was unpacked again make no update', async () => {
      await client.prepare('k1', 'old', web);
      const { store } = served;
      const old = (await store.read()).containers['web']!.layer;
      const copy = (await client.prepare('again'))[0]!.source;
      execFileSync('cp', ['--archive', '--no-target-directory', `${served.directory}/store/nodes/${old}/tree`, copy]);
      await client.commit('same', 'again');
      await client.prepare('k2', 'same', web);
      expect(await updates()).toEqual([]);
    });

    it('are refused what no container can be', async () => {
      expect(await codeOf(client.prepare('k', '', web))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(client.prepare('k', 'old', { [containerLabel]: '../x' }))).toBe('INVALID_ARGUMENT');
      expect(await detailsOf(client.prepare('k8s.io/7/0123', 'old', web))).toContain('whoever created the pod');
      expect(Object.keys((await served.store.read()).containers)).toEqual([]);
      await client.prepare('k', 'old', web);
      expect(await codeOf(client.commit('made', 'k'))).toBe('FAILED_PRECONDITION');
      expect(await client.names('kind==active')).toEqual(['k']);
    });

    it('share a base that others stand on: each is brought along by itself', async () => {
      await client.prepare('k1', 'old', web);
      await create(served.store, 'second', 'web');
      await client.prepare('k2', 'new', web);
      const { containers, bases } = await served.store.read();
      expect(containers['second']!.layer).toBe(bases['web']!.root);
      await client.prepare('k3', 'new', { [containerLabel]: 'second' });
      const after = await served.store.read();
      expect(after.containers['second']!.layer).toBe(after.bases['web']!.head);
      expect(await updates()).toEqual(['web-image']);
    });

    it('grant containerd the container by a symlink that every other use ends', async () => {
      await client.prepare('k1', 'old', web);
      const upper = await upperOf('k1');
      const link = join(upper, '..');
      expect(readlinkSync(join(served.directory, 'store/containerd', link.split('/').at(-1)!))).toMatch(/nodes\/s-/);
      await client.prepare('k2', 'new', web);
      expect(existsSync(upper)).toBe(false);
      await remove(served.store, 'web');
      expect(await codeOf(client.mounts('k2'))).toBe('FAILED_PRECONDITION');
      await client.remove('k1');
      await client.remove('k2');
      await served.store.recover();
    });

    it('are counted in the graph, with the layers that no base has', async () => {
      const graph = async (all = false) => drawGraph(await served.store.read(), 'text', all);
      expect(await graph()).toMatch(
        /^snapshots of containerd: 2 committed\n└─ layers of no base: 2, .* in all \(--all lists them\)$/,
      );
      await client.prepare('k1', 'old', web);
      await client.view('v1', 'new');
      expect(await graph(true)).toMatch(
        /^base web\n└─ base-layer [^]*\nsnapshots of containerd: 2 committed, 1 active, 1 read-only\n└─ base-layer .* new$/,
      );
    });

    it('keep their layers from being folded, and let them go with their names', async () => {
      await client.prepare('k1', 'old', web);
      await client.prepare('k2', 'new', web);
      for (const key of ['k1', 'k2']) await client.remove(key);
      await merge(served.store, { confirm: () => Promise.resolve(true), signal });
      expect(await client.names()).toEqual(['new', 'old']);
      await client.remove('new');
      await client.remove('old');
      expect(await client.list()).toEqual([]);
      expect(Object.keys((await served.store.read()).containers)).toEqual(['web']);
    });
  });

  it('offer layers that the store has of an image instead of unpacking them', async () => {
    const layout = new Layout(join(served.directory, 'layout'));
    const lower = layerOf([{ name: 'a', content: 'a' }]);
    const upper = layerOf([{ name: 'b', content: 'b' }]);
    layout.name('image', layout.image([lower, upper]));
    await importImage(served.store, 'shop', `oci:${layout.directory}:image`, {});
    const { nodes, bases } = await served.store.read();
    const top = nodes[bases['shop']!.root]!;
    const bottom = nodes[top.parent!]!;
    const target = (chainId: string) => ({ 'containerd.io/snapshot.ref': chainId });
    const lowest = target(bottom.image!.chainId);
    for (const key of ['extract-1', 'extract-2'])
      expect(await codeOf(client.prepare(key, '', lowest))).toBe('ALREADY_EXISTS');
    const [below] = await client.list(`labels."containerd.io/snapshot.ref"==${bottom.image!.chainId},parent==""`);
    expect(below).toMatchObject({ kind: 3, labels: lowest });
    expect(await codeOf(client.prepare('extract-3', below!.name, target(top.image!.chainId)))).toBe('ALREADY_EXISTS');
    expect(await client.list()).toHaveLength(2);
    // A layer is known by all below it, too: this is another one.
    await client.prepare('extract-4', '', target(top.image!.chainId));
    expect(await client.names('kind==active')).toEqual(['extract-4']);
  });

  it('refuse to unpack a layer into a container that an annotation of its image names', async () => {
    await image('old', { a: 'a' });
    await client.prepare('k', 'old', web);
    await client.remove('k');
    const chainId = `sha256:${'0'.repeat(64)}`;
    const target = { 'containerd.io/snapshot.ref': chainId };
    for (const [key, labels] of [
      ['any', { ...web, ...target }],
      [`default/7/extract-123-abc ${chainId}`, web],
    ] as const) {
      expect(await codeOf(client.prepare(key, 'old', labels))).toBe('FAILED_PRECONDITION');
      expect(await detailsOf(client.prepare(key, 'old', labels))).toContain('would unpack it into a container');
    }
    expect(await client.names('kind==active')).toEqual([]);
  });

  it('refuse marks that only an archive can have brought', async () => {
    for (const mark of ['trusted.overlay.redirect', 'trusted.overlay.metacopy']) {
      const { source } = (await client.prepare(mark))[0]!;
      mkdirSync(join(source, 'd'));
      setXattrSync(fromText(join(source, 'd')), mark, Buffer.from('/etc'));
      expect(await codeOf(client.commit('c', mark))).toBe('FAILED_PRECONDITION');
      expect(await detailsOf(client.commit('c', mark))).toContain('at /d');
      await client.remove(mark);
    }
  });

  it('have names that can be read, and no name ends the server', async () => {
    await image('old', { a: 'a' });
    const astral = '\u{1F600}';
    for (const name of ['a\nb', 'a\u0000b', 'x'.repeat(5000)]) {
      expect(await codeOf(client.prepare(name, 'old'))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(client.prepare('key', 'old', { 'containerd.io/snapshot/x': name }))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(client.commit(name, 'key'))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(client.stat(name))).toBe('NOT_FOUND');
      expect(await codeOf(client.mounts(name))).toBe('NOT_FOUND');
      expect(await codeOf(client.list(`name==${name}`))).toMatch(/^(INVALID_ARGUMENT|OK)$/);
    }
    // A message is cut within a pair of surrogates, wherever it is cut.
    for (const pad of ['', 'x']) expect(await codeOf(client.stat(pad + astral.repeat(2000)))).toBe('NOT_FOUND');
    for (const name of ['constructor', '__proto__', `../${astral}`, 'a b:c,d"e']) {
      await client.prepare(name, 'old');
      expect(await client.stat(name)).toMatchObject({ name });
      await client.remove(name);
    }
    expect(await client.names()).toEqual(['old']);
  });

  it('that containerd has forgotten leave their names to new ones, and keep their trees and children', async () => {
    const layer = async (number: number, parent: string) => {
      await client.prepare(`default/${number}/extract`, parent);
      await client.commit(`default/${number + 1}/layer`, `default/${number}/extract`);
      return `default/${number + 1}/layer`;
    };
    await client.prepare('default/5/web', await layer(3, await layer(1, '')));
    const before = await client.mounts('default/5/web');
    expect(await codeOf(client.prepare('default/5/web', 'default/4/layer'))).toBe('ALREADY_EXISTS');
    await client.prepare('default/5/web', await layer(3, await layer(1, '')));
    const parents = new Map((await client.list()).map(({ name, parent }) => [name, parent]));
    const known = ['default/2/layer', 'default/4/layer', 'default/5/web'];
    expect(known.map((name) => parents.get(name))).toEqual(['', 'default/2/layer', 'default/4/layer']);
    const forgotten = [...parents.keys()].filter((name) => name.startsWith('lamina/forgotten/'));
    expect(parents.size).toBe(6);
    const top = forgotten.find((name) => ![...parents.values()].includes(name))!;
    expect(await client.mounts(top)).toEqual(before);
    expect(await client.mounts('default/5/web')).not.toEqual(before);
    for (let name: string | undefined = top; name; name = parents.get(name)) await client.remove(name);
    expect((await client.names()).sort()).toEqual(known);
    expect(served.faults).toEqual([]);
  });

  it('are made once where two callers ask at once', async () => {
    await image('old', { a: 'a' });
    await image('new', { b: 'b' }, 'old');
    const several = async (call: (i: number) => Promise<unknown>) =>
      Promise.all([0, 1, 2, 3].map(async (i) => codeOf(call(i))));
    const one = ['ALREADY_EXISTS', 'ALREADY_EXISTS', 'ALREADY_EXISTS', 'OK'];
    expect((await several(async () => client.prepare('same', 'old'))).sort()).toEqual(one);
    expect((await several(async (i) => client.commit(`name-${i}`, 'same'))).sort()).toEqual([
      ...['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'OK'],
    ]);
    // Of one container: it is made once, the last one shows it, and an update is made once.
    for (const parent of ['old', 'new']) {
      const codes = await several(async (i) => client.prepare(`${parent}-${i}`, parent, web));
      expect(codes.filter((code) => code !== 'OK' && code !== 'FAILED_PRECONDITION')).toEqual([]);
      expect(codes).toContain('OK');
      const shows = await several(async (i) => client.mounts(`${parent}-${i}`));
      expect(shows.filter((code) => code === 'OK')).toHaveLength(1);
    }
    expect(await updates()).toEqual(['web-image']);
  });
});
