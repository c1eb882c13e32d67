import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeTar } from './tar-writer.js';
import type { Member } from './tar-writer.js';

/** An OCI image layout, made by hand: also what no program would make. */

export const sha256 = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly urls?: readonly string[];
  readonly artifactType?: string;
}

export const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

/** A layer as it is stored, and the digest of its tar. */
export interface Layer {
  readonly blob: Buffer;
  readonly diffId: string;
  readonly mediaType: string;
  readonly urls?: readonly string[];
}

/** A gzip-compressed layer. */
export function layerOf(members: readonly Member[] | Buffer): Layer {
  const tar = Buffer.isBuffer(members) ? members : writeTar(members);
  return { blob: gzipSync(tar), diffId: sha256(tar), mediaType: types.gzip };
}

export interface ImageOptions {
  readonly config?: object;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** Members of its manifest that are to be others. */
  readonly manifest?: object;
}

/** A layout at `directory`, whose index names what `name` was given. */
export class Layout {
  readonly #named: Descriptor[] = [];

  constructor(readonly directory: string) {
    mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    this.#write();
  }

  blobPath(digest: string): string {
    return join(this.directory, 'blobs/sha256', digest.slice('sha256:'.length));
  }

  put(bytes: Buffer | string, mediaType: string): Descriptor {
    const digest = sha256(bytes);
    writeFileSync(this.blobPath(digest), bytes);
    return { mediaType, digest, size: Buffer.byteLength(bytes) };
  }

  putJson(value: object, mediaType: string): Descriptor {
    return this.put(JSON.stringify(value), mediaType);
  }

  /** The descriptor of the manifest of an image with these layers, lowest first. */
  image(layers: readonly Layer[], options: ImageOptions = {}): Descriptor {
    const platform = options.platform ?? { os: 'linux', architecture: hostArchitecture };
    const rootfs = { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) };
    const config = this.putJson({ ...platform, config: options.config ?? {}, rootfs }, types.config);
    const blobs = layers.map(({ blob, mediaType, urls }) => ({
      ...this.put(blob, mediaType),
      ...(urls === undefined ? {} : { urls }),
    }));
    const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers: blobs, ...options.manifest };
    return { ...this.putJson(manifest, types.manifest), platform };
  }

  index(manifests: readonly Descriptor[]): Descriptor {
    return this.putJson({ schemaVersion: 2, mediaType: types.index, manifests }, types.index);
  }

  /** Gives an image, or an index, a tag. */
  name(tag: string, { platform: _, ...descriptor }: Descriptor): string {
    this.#named.push({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': tag } });
    this.#write();
    return `oci:${this.directory}:${tag}`;
  }

  #write(): void {
    const index = { schemaVersion: 2, mediaType: types.index, manifests: this.#named };
    writeFileSync(join(this.directory, 'index.json'), JSON.stringify(index));
  }
}

export const hostArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;
