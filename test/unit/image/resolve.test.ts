import { describe, expect, it } from 'vitest';
import { digestOf, parseConfig, parseIndex, parseManifest } from '../../../src/image/descriptions.js';
import type { Descriptor } from '../../../src/image/descriptions.js';
import { mediaTypes } from '../../../src/image/media-types.js';
import { platformOf } from '../../../src/image/platform.js';
import { findManifest, resolveImage } from '../../../src/image/resolve.js';

const diffId = `sha256:${'a'.repeat(64)}`;
const here = platformOf('linux/amd64');

/** Blobs by their digests. */
class Blobs {
  readonly #bytes = new Map<string, Buffer>();
  reads = 0;

  add(mediaType: string, value: unknown, platform?: string): Descriptor {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = digestOf(bytes);
    this.#bytes.set(digest, bytes);
    return {
      mediaType,
      digest,
      size: bytes.length,
      ...(platform === undefined ? {} : { platform: platformOf(platform) }),
    };
  }

  /** An image, of its own by its name. */
  image(name: string, platform?: string): Descriptor {
    const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [diffId] }, author: name };
    const layers = [{ mediaType: mediaTypes.tar, digest: diffId, size: 1 }];
    return this.add(mediaTypes.manifest, { config: this.add(mediaTypes.config, config), layers }, platform);
  }

  index(manifests: readonly Descriptor[], platform?: string): Descriptor {
    return this.add(mediaTypes.index, { manifests }, platform);
  }

  readonly read = ({ digest }: Descriptor): Buffer => {
    this.reads += 1;
    return this.#bytes.get(digest) ?? Buffer.alloc(0);
  };
}

const find = async (blobs: Blobs, descriptors: readonly Descriptor[]) =>
  findManifest(blobs.read, descriptors, here, 'the image');

describe('the manifest for a platform', () => {
  it('is found in any of the indexes in an index', async () => {
    const blobs = new Blobs();
    const wanted = blobs.image('wanted', 'linux/amd64');
    const others = ['arm64', 's390x'].map((each) => blobs.index([blobs.image(each, `linux/${each}`)]));
    const nested = blobs.index([...others, blobs.index([blobs.index([wanted])])]);
    expect(await find(blobs, [nested])).toMatchObject({ manifestDigest: wanted.digest });
    expect(await find(blobs, [...others, nested])).toMatchObject({ manifestDigest: wanted.digest });
    await expect(find(blobs, others)).rejects.toThrow(
      /no image for linux\/amd64; there are: linux\/arm64, linux\/s390x/,
    );
  });

  it('is not looked for without end', async () => {
    const blobs = new Blobs();
    let deep = blobs.index([blobs.image('deep', 'linux/amd64')]);
    for (let i = 0; i < 5; i++) deep = blobs.index([deep]);
    await expect(find(blobs, [deep])).rejects.toThrow(/indexes in indexes without end/);
    // Each of the same indexes is read once.
    let wide = blobs.index([blobs.image('other', 'linux/arm64')]);
    for (let i = 0; i < 3; i++) wide = blobs.index(Array.from({ length: 1000 }, () => wide));
    blobs.reads = 0;
    await expect(find(blobs, [wide])).rejects.toThrow(/no image for/);
    expect(blobs.reads).toBe(4);
    const many = Array.from({ length: 100 }, (_, i) => blobs.index([blobs.image(String(i), 'linux/arm64')]));
    await expect(find(blobs, many)).rejects.toThrow(/indexes in indexes without end/);
  });
});

describe('what describes an image', () => {
  const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
  const rootfs = { type: 'layers', diff_ids: [diffId] };

  it('may have null for what is absent', () => {
    const config = parseConfig(
      bytes({
        os: 'linux',
        architecture: 'arm64',
        variant: null,
        history: null,
        rootfs,
        config: { Labels: { a: null, b: '1' } },
      }),
      'the image',
    );
    expect(config.config).toEqual({ Labels: { b: '1' } });
    const layer = { mediaType: mediaTypes.tar, digest: diffId, size: 1, urls: null, annotations: { a: null } };
    const manifest = parseManifest(bytes({ config: layer, layers: [layer], annotations: null }), 'the image');
    expect(manifest.layers).toHaveLength(1);
    expect(() => parseManifest(bytes({ config: layer, layers: null }), 'the image')).toThrow(/layers/);
  });

  it('may have a platform that says nothing', () => {
    const descriptor = { mediaType: mediaTypes.manifest, digest: diffId, size: 1 };
    const platforms = [{}, { os: 'linux' }, { os: '', architecture: '' }, { os: 'linux', architecture: 'arm64' }];
    const { manifests } = parseIndex(
      bytes({ manifests: platforms.map((platform) => ({ ...descriptor, platform })) }),
      'the image',
    );
    expect(manifests.map(({ platform }) => platform?.architecture)).toEqual([undefined, undefined, undefined, 'arm64']);
  });

  it.each([{}, { os: '', architecture: '' }, { os: null, architecture: null }])(
    'is taken for one for this machine where it says %j',
    async (platform) => {
      const config = bytes({ ...platform, rootfs });
      const manifest = parseManifest(
        bytes({
          config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
          layers: [{ mediaType: mediaTypes.tar, digest: diffId, size: 1 }],
        }),
        'the image',
      );
      const image = await resolveImage(() => config, { manifest, manifestDigest: null }, undefined, 'the image');
      expect(image.platform).toMatch(/^linux\/[a-z0-9]+$/);
    },
  );
});
