import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkGraph } from '../../../src/manifest/index.js';
import { isMachineRoot } from '../../../src/platform/privileges.js';
import { codeOf } from '../../support/snapshot-client.js';
import { serve } from './served.js';
import type { Served } from './served.js';

/** What becomes of a snapshot whose name containerd comes to again: src/manifest/forgotten-snapshots.ts. */
describe.skipIf(!isMachineRoot())('a snapshot that containerd has forgotten', () => {
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

  it('leaves its name to what containerd gives that name anew, and keeps its tree and what stands on it', async () => {
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
  });
});
