import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toText } from '../../../src/base/bytes.js';
import { newId } from '../../../src/base/ids.js';
import { isoNow } from '../../../src/base/time.js';
import { addSnapshot, checkGraph } from '../../../src/manifest/index.js';
import { isMachineRoot } from '../../../src/platform/privileges.js';
import { codeOf, detailsOf, kind } from '../../support/snapshot-client.js';
import { serve } from './served.js';
import type { Served } from './served.js';

/*
 * The semantics of containerd's interface Snapshotter, as its documentation (core/snapshots/snapshotter.go) and what
 * its own suite asks of every snapshotter state them; without mounts. Those with mounts are in
 * test/e2e/snapshotter.test.ts.
 */
describe.skipIf(!isMachineRoot())('the snapshots of containerd', () => {
  let served: Served;
  let client: Served['client'];

  beforeEach(async () => {
    served = await serve();
    ({ client } = served);
  });
  afterEach(async () => {
    expect(checkGraph(await served.store.read())).toEqual([]);
    expect(served.faults).toEqual([]);
    await served.stop();
  });

  async function committed(name: string, parent = ''): Promise<void> {
    await client.prepare(`${name}-key`, parent);
    await client.commit(name, `${name}-key`);
  }

  const nodes = () => readdirSync(join(served.directory, 'store/nodes')).sort();

  it('are active, committed and gone', async () => {
    await client.prepare('key', '', { 'containerd.io/gc.root': 'now' });
    expect(await client.stat('key')).toMatchObject({ name: 'key', parent: '', kind: kind.active });
    await client.commit('name', 'key');
    expect(await codeOf(client.stat('key'))).toBe('NOT_FOUND');
    expect(await client.stat('name')).toMatchObject({ name: 'name', parent: '', kind: kind.committed, labels: {} });
    await client.prepare('next', 'name');
    await client.commit('second', 'next');
    expect(await client.stat('second')).toMatchObject({ parent: 'name', kind: kind.committed });
    expect(await codeOf(client.remove('name'))).toBe('FAILED_PRECONDITION');
    expect(await detailsOf(client.remove('name'))).toContain("cannot remove snapshot 'name'");
    await client.remove('second');
    await client.remove('name');
    expect(await client.list()).toEqual([]);
    expect(nodes()).toEqual([]);
  });

  it('refuse a name that is taken, by any kind', async () => {
    await committed('base');
    await client.prepare('a', 'base');
    await client.view('v', 'base');
    for (const taken of ['a', 'v', 'base']) {
      expect(await codeOf(client.prepare(taken, 'base'))).toBe('ALREADY_EXISTS');
      expect(await codeOf(client.view(taken, 'base'))).toBe('ALREADY_EXISTS');
      expect(await codeOf(client.commit(taken, 'a'))).toBe('ALREADY_EXISTS');
    }
    expect(await codeOf(client.prepare('', 'base'))).toBe('INVALID_ARGUMENT');
  });

  it('stand on committed ones only', async () => {
    await client.prepare('a');
    expect(await codeOf(client.prepare('b', 'a'))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(client.view('b', 'a'))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(client.prepare('b', 'nothing'))).toBe('NOT_FOUND');
    expect(await client.names()).toEqual(['a']);
  });

  it('keep a layer that others stand on, and a name that was removed can be used again', async () => {
    await committed('one');
    await committed('two', 'one');
    await client.prepare('three', 'two');
    expect(await codeOf(client.remove('two'))).toBe('FAILED_PRECONDITION');
    for (const name of ['three', 'two', 'one']) await client.remove(name);
    expect(await codeOf(client.remove('one'))).toBe('NOT_FOUND');
    await client.prepare('reused');
    await client.remove('reused');
    await client.view('reused');
    await client.remove('reused');
    await client.prepare('reused');
    await client.commit('one', 'reused');
    expect(await client.names()).toEqual(['one']);
  });

  it('have mounts while they are active', async () => {
    await committed('one');
    await committed('two', 'one');
    const [bind] = await client.prepare('alone');
    expect(bind).toMatchObject({ type: 'bind', options: ['rw', 'rbind'] });
    expect(statSync(bind!.source).mode & 0o7777).toBe(0o755);
    expect(await client.view('empty')).toMatchObject([{ type: 'bind', options: ['ro', 'rbind'] }]);
    expect(await client.view('below', 'one')).toMatchObject([{ type: 'bind', options: ['ro', 'rbind'] }]);
    const [overlay] = await client.prepare('active', 'two');
    expect(overlay).toMatchObject({ type: 'overlay', source: 'overlay' });
    expect(overlay!.options.map((option) => option.split('=')[0])).toEqual([
      'workdir',
      'upperdir',
      'lowerdir',
      'index',
      'redirect_dir',
      'metacopy',
    ]);
    expect(await client.mounts('active')).toEqual([overlay]);
    const [view] = await client.view('view', 'two');
    expect(view!.options[0]).toMatch(/^lowerdir=[^:]+:[^:]+$/);
    expect(view!.options.join()).not.toContain('upperdir');
    expect(await codeOf(client.mounts('two'))).toBe('FAILED_PRECONDITION');
    expect(await codeOf(client.mounts('nothing'))).toBe('NOT_FOUND');
  });

  it('commit an active one only, and keep it where that fails', async () => {
    await committed('base');
    await client.view('v', 'base');
    expect(await codeOf(client.commit('name', 'v'))).toBe('FAILED_PRECONDITION');
    expect(await codeOf(client.commit('name', 'base'))).toBe('FAILED_PRECONDITION');
    expect(await codeOf(client.commit('name', 'nothing'))).toBe('NOT_FOUND');
    await client.prepare('a', 'base');
    expect(await codeOf(client.commit('', 'a'))).toBe('INVALID_ARGUMENT');
    expect(await client.stat('a')).toMatchObject({ kind: kind.active });
  });

  it('are put on a parent by the commit, where they had none', async () => {
    await committed('base');
    await client.prepare('loose');
    await client.commit('top', 'loose', {}, 'base');
    expect(await client.stat('top')).toMatchObject({ parent: 'base' });
    await client.prepare('fixed', 'base');
    expect(await codeOf(client.commit('other', 'fixed', {}, 'top'))).toBe('INVALID_ARGUMENT');
    await client.commit('other', 'fixed', {}, 'base');
  });

  it('change their labels, and nothing else', async () => {
    await committed('c1');
    await committed('c2', 'c1');
    await client.prepare('a1', 'c2');
    await client.prepare('a2');
    await client.view('v1', 'c2');
    await client.view('v2');
    for (const name of ['c1', 'c2', 'a1', 'a2', 'v1', 'v2']) {
      const before = await client.stat(name);
      expect(before.updated_at).toEqual(before.created_at);
      const set = { l1: 'v1', l2: 'v2', l3: 'v3' };
      const first = await client.update({ ...before, parent: 'doesnotexist', labels: set });
      expect(first).toMatchObject({ labels: set, parent: before.parent, kind: before.kind });
      expect(first.created_at).toEqual(before.created_at);
      const second = await client.update({ name, labels: { l1: 'updated', l4: 'v4' } }, 'labels.l1', 'labels.l2');
      expect(second.labels).toEqual({ l1: 'updated', l3: 'v3' });
      expect((await client.update({ name, labels: { l4: 'v4' } }, 'labels')).labels).toEqual({ l4: 'v4' });
      expect(await codeOf(client.update({ name, parent: 'x' }, 'parent'))).toBe('INVALID_ARGUMENT');
      expect((await client.stat(name)).labels).toEqual({ l4: 'v4' });
    }
    expect((await client.update({ name: 'a1', labels: {} }, 'labels.constructor')).labels).toEqual({ l4: 'v4' });
    expect(await codeOf(client.update({ name: 'nothing', labels: {} }))).toBe('NOT_FOUND');
    expect(await codeOf(client.call('Update', {}))).toBe('INVALID_ARGUMENT');
  });

  it('have times that lie between the call and its answer', async () => {
    const within = async (call: () => Promise<unknown>, name: string, time: 'created_at' | 'updated_at') => {
      // The call comes later in the millisecond that Date.now() gives.
      const before = Date.now();
      await call();
      const after = Date.now();
      const { seconds, nanos } = (await client.stat(name))[time];
      const at = seconds * 1000 + nanos / 1_000_000;
      expect([at > before, at <= after]).toEqual([true, true]);
    };
    for (let tries = 0; tries < 5; tries++) {
      const name = `n${String(tries)}`;
      await within(async () => client.prepare(`${name}-key`), `${name}-key`, 'created_at');
      await within(async () => client.commit(name, `${name}-key`), name, 'created_at');
      await within(async () => client.view(`${name}-view`, name), `${name}-view`, 'created_at');
      await within(async () => client.update({ name, labels: { l: name } }), name, 'updated_at');
    }
  });

  it('do not inherit labels by a commit, and drop empty ones', async () => {
    await client.prepare('a', '', { l: '1', empty: '' });
    expect((await client.stat('a')).labels).toEqual({ l: '1' });
    await client.commit('c', 'a', { m: '2' });
    expect((await client.stat('c')).labels).toEqual({ m: '2' });
  });

  it('refuse labels beyond the bounds', async () => {
    for (const labels of [
      { l: 'x'.repeat(4096) },
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`l${i}`, 'x'])),
      { l: 'a\u0000b' },
    ])
      expect(await codeOf(client.prepare('a', '', labels))).toBe('INVALID_ARGUMENT');
    expect(await client.list()).toEqual([]);
  });

  it('are found by filters', async () => {
    const root = { 'containerd.io/gc.root': 'check' };
    await client.prepare('a-np', '', root);
    await client.prepare('p-tmp', '', root);
    await client.commit('p', 'p-tmp', root);
    await client.prepare('a', 'p', root);
    await client.view('v', 'p', root);
    await client.prepare('p-wl-tmp', '', root);
    await client.commit('p-wl', 'p-wl-tmp', { ...root, l: '1' });
    await client.prepare('a-wl', 'p-wl', { ...root, l: '2' });
    await client.view('v-wl', 'p-wl', { ...root, l: '3' });
    await client.prepare('a-np-wl', '', { ...root, l: '2' });
    const all = ['a', 'a-np', 'a-np-wl', 'a-wl', 'p', 'p-wl', 'v', 'v-wl'];
    expect(await client.names()).toEqual(all);
    expect(await client.names('labels."containerd.io/gc.root"==check')).toEqual(all);
    expect(await client.names('kind==active,labels."containerd.io/gc.root"==check')).toEqual([
      'a',
      'a-np',
      'a-np-wl',
      'a-wl',
    ]);
    expect(await client.names('kind==view')).toEqual(['v', 'v-wl']);
    expect(await client.names('kind==committed')).toEqual(['p', 'p-wl']);
    expect(await client.names('name==p', 'name==a-np-wl')).toEqual(['a-np-wl', 'p']);
    expect(await client.names('name==a-wl,labels.l')).toEqual(['a-wl']);
    expect(await client.names('parent==p')).toEqual(['a', 'v']);
    expect(await client.names('parent!=""')).toEqual(['a', 'a-wl', 'v', 'v-wl']);
    expect(await client.names('labels.l')).toEqual(['a-np-wl', 'a-wl', 'p-wl', 'v-wl']);
    expect(await client.names('labels.l==2')).toEqual(['a-np-wl', 'a-wl']);
    expect(await codeOf(client.list('kind=='))).toBe('INVALID_ARGUMENT');
  });

  it('are listed in several messages where there are many', async () => {
    await committed('base');
    const keys = Array.from({ length: 205 }, (_, i) => `v${String(i).padStart(3, '0')}`);
    const view = { kind: 'view', parent: 'base', node: null, container: null, labels: {}, created: isoNow() } as const;
    // In one change: a call for each would take minutes on a slow disk.
    await served.store.change(async (manifest, publish) => {
      await publish(keys.reduce((made, name) => addSnapshot(made, { ...view, id: newId('k'), name }), manifest));
    });
    expect(await client.names('kind==view')).toEqual(keys);
  });

  it('report what they take by themselves', async () => {
    const { source } = (await client.prepare('a'))[0]!;
    expect((await client.usage('a')).inodes).toBe(1);
    writeFileSync(join(source, 'file'), 'x'.repeat(100_000));
    const active = await client.usage('a');
    expect(active.inodes).toBe(2);
    expect(active.size).toBeGreaterThanOrEqual(100_000);
    await client.commit('c', 'a');
    expect(await client.usage('c')).toEqual({ size: 100_000, inodes: 2 });
    await client.view('v', 'c');
    expect(await client.usage('v')).toEqual({ size: 0, inodes: 0 });
    expect(await codeOf(client.usage('nothing'))).toBe('NOT_FOUND');
  });

  it('are nodes of the store: sealed with an index, collected with the last name', async () => {
    const { source } = (await client.prepare('a'))[0]!;
    writeFileSync(join(source, 'file'), 'content');
    await client.commit('c', 'a');
    const [id = ''] = nodes();
    const manifest = await served.store.read();
    expect(manifest.nodes[id]).toMatchObject({ kind: 'base-layer', sealed: true, entries: 1, bytes: 7 });
    expect(readdirSync(toText(served.store.paths.node(id).directory))).toContain('index');
    await client.cleanup();
    expect((await served.store.collectGarbage(false)).found).toEqual([]);
    await client.remove('c');
    expect(nodes()).toEqual([]);
  });

  it('that are not committed are no garbage', async () => {
    await client.prepare('a');
    await client.view('v');
    const before = nodes();
    expect((await served.store.collectGarbage(false)).found).toEqual([]);
    await client.cleanup();
    expect(nodes()).toEqual(before);
    expect(before).toHaveLength(2);
  });

  it('are made side by side', async () => {
    await committed('base');
    await Promise.all(Array.from({ length: 8 }, (_, i) => client.prepare(`a${i}`, 'base')));
    expect(await client.names('kind==active')).toHaveLength(8);
    const same = await Promise.all(Array.from({ length: 4 }, () => codeOf(client.prepare('same', 'base'))));
    expect(same.sort()).toEqual(['ALREADY_EXISTS', 'ALREADY_EXISTS', 'ALREADY_EXISTS', 'OK']);
    await Promise.all(Array.from({ length: 8 }, (_, i) => client.remove(`a${i}`)));
  });
});
