import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromText, join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { LaminaError, failed, refused } from '../../../src/base/errors.js';
import {
  manyLowers,
  mountByWish,
  reasonAgainstContainer,
  reasonAgainstKernel,
  reasonOfLinks,
} from '../../../src/mount/choose-engine.js';
import type { EngineName } from '../../../src/mount/engine.js';
import { scanTree } from '../../../src/store/node-index/scan.js';
import { encodeIndex } from '../../../src/store/node-index/writer.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

/** A sealed tree with two files, which are one file or not. */
async function tree(name: string, linked: boolean): Promise<{ tree: BytePath; index: BytePath }> {
  const path = at(name);
  mkdirSync(toBuffer(path));
  const [one, two] = ['one', 'two'].map((file) => toBuffer(join(path, fromText(file)))) as [Buffer, Buffer];
  writeFileSync(one, 'content');
  if (linked) linkSync(one, two);
  else writeFileSync(two, 'content');
  const index = at(`${name}.index`);
  writeFileSync(toBuffer(index), await encodeIndex(await scanTree(path, { hash: true })));
  return { tree: path, index };
}

const lowersOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ tree: at(`no-${i}`), index: undefined }));

/** Mounts nothing: notes which engine was to, and fails by those that cannot. */
function mounting(faults: Partial<Record<EngineName, Error>> = {}) {
  const tried: EngineName[] = [];
  const mount = async (engine: EngineName) => {
    tried.push(engine);
    const fault = faults[engine];
    if (fault !== undefined) throw fault;
    return Promise.resolve();
  };
  return { tried, mount };
}

const unavailable = refused('cannot mount on /m by the kernel: it switched metacopy=on off', {
  code: 'ENGINE_UNAVAILABLE',
});
const neverAsked = () => {
  throw new Error('only auto asks for reasons');
};

describe('the engine of a mount', () => {
  it.each(['fuse', 'kernel'] as const)('is %s where that is wished for, without asking why not', async (wish) => {
    const { tried, mount } = mounting();
    expect(await mountByWish(wish, neverAsked, mount)).toEqual({ engine: wish, because: undefined });
    expect(tried).toEqual([wish]);
  });

  it.each(['fuse', 'kernel'] as const)('is never another than %s where that is wished for', async (wish) => {
    const { tried, mount } = mounting({ [wish]: unavailable });
    await expect(mountByWish(wish, neverAsked, mount)).rejects.toBe(unavailable);
    expect(tried).toEqual([wish]);
  });

  it('is by auto the kernel where nothing is against it, and says so', async () => {
    const { tried, mount } = mounting();
    const chosen = await mountByWish('auto', () => undefined, mount);
    expect(chosen.engine).toBe('kernel');
    expect(chosen.because).toContain('it shows the same as the driver');
    expect(tried).toEqual(['kernel']);
  });

  it('is by auto the driver where something is against the kernel, which is not tried', async () => {
    const { tried, mount } = mounting();
    expect(await mountByWish('auto', () => 'the reason', mount)).toEqual({ engine: 'fuse', because: 'the reason' });
    expect(tried).toEqual(['fuse']);
  });

  it('is by auto the driver where the kernel cannot mount the stack here, for the reason that it gave', async () => {
    const { tried, mount } = mounting({ kernel: unavailable });
    const chosen = await mountByWish('auto', () => undefined, mount);
    expect(chosen).toEqual({ engine: 'fuse', because: unavailable.message });
    expect(tried).toEqual(['kernel', 'fuse']);
  });

  it.each([failed('the disk is broken'), refused("container 'web' is in use", { code: 'MOUNTED' }), new Error('EIO')])(
    'is by auto none where the kernel fails for another reason: %s',
    async (error) => {
      const { tried, mount } = mounting({ kernel: error });
      await expect(mountByWish('auto', () => undefined, mount)).rejects.toBe(error);
      expect(tried).toEqual(['kernel']);
    },
  );

  it('is by auto none where the driver fails, too', async () => {
    const broken = failed('cannot mount on /m: no /dev/fuse');
    const { mount } = mounting({ kernel: unavailable, fuse: broken });
    const thrown = await mountByWish('auto', () => undefined, mount).catch((error: unknown) => error);
    expect(thrown).toBe(broken);
    expect(thrown).toBeInstanceOf(LaminaError);
  });
});

describe('what is against the kernel', () => {
  it('is the number of trees below, from 40 on', () => {
    expect(manyLowers).toBe(40);
    for (const few of [0, 1, 39]) expect(reasonAgainstKernel({ lowers: lowersOf(few) }, true)).toBeUndefined();
    for (const many of [40, 41, 600])
      expect(reasonAgainstKernel({ lowers: lowersOf(many) }, true)).toMatch(
        new RegExp(`^there are ${many} trees below.*fewer than 40`),
      );
  });

  it('is to be without root of the machine, whatever the stack', () => {
    for (const count of [1, 100])
      expect(reasonAgainstKernel({ lowers: lowersOf(count) }, false)).toContain('without root of the machine');
  });

  it('is a hard link in any of the trees below, however deep it lies', async () => {
    const plain = await tree('plain', false);
    const linked = await tree('linked', true);
    expect(reasonOfLinks({ lowers: [plain] })).toBeUndefined();
    // What is not sealed has no index: the top of a read-only mount, which nothing hides.
    expect(reasonOfLinks({ lowers: [{ ...linked, index: undefined }, plain] })).toBeUndefined();
    for (const lowers of [[linked], [plain, plain, linked], [linked, plain]])
      expect(reasonOfLinks({ lowers })).toContain('hard links');
  });

  it('are for a container its way of opening and its sandbox, before what its trees hold', async () => {
    const lowers = [await tree('one-of-container', true)];
    const why = (use: Parameters<typeof reasonAgainstContainer>[1], root = true) =>
      reasonAgainstContainer({ lowers }, use, root);
    for (const mode of ['stateless', 'passthrough'] as const) expect(why({ mode })).toContain(`the mode ${mode}`);
    expect(why({ mapsOwners: true })).toContain('users of its own');
    expect(why({ mapsOwners: false })).toContain('hard links');
    expect(why({}, false)).toContain('without root of the machine');
    const unlinked = { lowers: [await tree('another-of-container', false)] };
    expect(reasonAgainstContainer(unlinked, {}, true)).toBeUndefined();
  });

  it('names a tree without the index that it is given, rather than to take it for one without links', () => {
    const index = at('no-such.index');
    expect(() => reasonOfLinks({ lowers: [{ tree: at('no-such'), index }] })).toThrow(/ENOENT.*no-such\.index/);
  });
});
