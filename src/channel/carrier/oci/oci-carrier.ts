import { createReadStream } from 'node:fs';
import { isIPv4 } from 'node:net';
import { basename } from 'node:path';
import { toBuffer } from '../../../base/bytes.js';
import { usage } from '../../../base/errors.js';
import { metadataDirectory, targetsDirectory } from '../../names.js';
import { bounded, piecesOf, skip, tooLong } from '../bounded.js';
import type { Carrier, Patience, PublishedFile, PushOptions, ReadOptions, ReadResult, Sent } from '../carrier.js';
import { CarrierFailure } from '../failure.js';
import { RegistryClient, digestOf, manifestType } from './registry-client.js';
import type { Descriptor, Manifest } from './registry-client.js';

/*
 * The layout is that of go-tuf-mirror, below one repository: `REPOSITORY/metadata:latest` is an artifact with a layer
 * for each file of metadata, and `REPOSITORY/targets:DIGEST.NAME` one with the target as its only layer; an annotation
 * of the layer holds the file's name. The metadata of the delegated role is in `latest`, too, so that a reader sees one
 * state, and in `metadata:rollout`, where go-tuf looks for it. Any other file `DIRECTORY/NAME` is an artifact
 * `REPOSITORY/DIRECTORY:NAME` of one layer: a report has a tag of its own, so no two machines write one thing.
 */

const fileAnnotation = 'tuf.io/filename';
const metadataType = 'application/vnd.tuf.metadata+json';
const targetType = 'application/vnd.tuf.target';
const latest = 'latest';
/** An image manifest needs a configuration: the empty one (the image specification, "Guidance for Artifact Usage"). */
const emptyBlob = Buffer.from('{}');
const emptyConfig = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(emptyBlob),
  size: emptyBlob.length,
};

const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const repositoryPattern = /^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/;

/** A channel in a registry. */
export class OciCarrier implements Carrier {
  readonly #repository: string;
  readonly #isPlain: boolean;
  readonly #clients = new Map<string, RegistryClient>();
  /** As of the last time that the timestamp was read: all metadata of one reading is of one state. */
  #metadata: Manifest | undefined;

  /** @throws LaminaError usage: it is no address of a repository */
  constructor(
    readonly url: string,
    readonly patience: Patience,
    plainHttp: boolean,
  ) {
    const repository = url.slice('oci://'.length).replace(/\/+$/, '');
    const [, host = ''] = repositoryPattern.exec(repository) ?? [];
    if (host === '' || !URL.canParse(`https://${repository}`))
      throw usage(`'${url}' is not the address of a repository`, {
        code: 'BAD_ADDRESS',
        hint: 'give oci://REGISTRY/REPOSITORY, in lower case, without a tag',
      });
    this.#repository = repository;
    this.#isPlain = plainHttp || isLoopback(host);
  }

  async read(path: string, options: ReadOptions): Promise<ReadResult> {
    const { directory, name } = placeOf(path);
    const client = this.#client(directory);
    if (directory !== metadataDirectory) {
      const answer = await client.manifest(name, options.etag, options.signal);
      if (answer.status !== 'found') return { status: answer.status };
      const [layer] = answer.manifest.layers;
      return layer === undefined ? { status: 'absent' } : this.#layer(client, layer, path, options, answer);
    }
    let found: { readonly etag?: string; readonly date?: Date | undefined } = {};
    if (this.#metadata === undefined || name === 'timestamp.json') {
      const etag = name === 'timestamp.json' ? options.etag : undefined;
      const answer = await client.manifest(latest, etag, options.signal);
      if (answer.status !== 'found') return { status: answer.status };
      this.#metadata = answer.manifest;
      found = answer;
    }
    const layer = this.#metadata.layers.find(({ annotations }) => annotations?.[fileAnnotation] === name);
    return layer === undefined ? { status: 'absent' } : this.#layer(client, layer, path, options, found);
  }

  async #layer(
    client: RegistryClient,
    layer: Descriptor,
    path: string,
    { maxBytes, from = 0, signal }: ReadOptions,
    { etag, date }: { readonly etag?: string; readonly date?: Date | undefined },
  ): Promise<ReadResult> {
    const what = `${this.url}/${path}`;
    if (layer.size > maxBytes) throw tooLong(what, maxBytes);
    const answer = await client.blob(layer.digest, from, signal);
    if (answer.status === 404 || answer.status === 416) {
      answer.discard();
      if (answer.status === 404) return { status: 'absent' };
    }
    const start = answer.status === 206 ? from : 0;
    const bytes =
      answer.status === 416 ? piecesOf() : skip(bounded(answer.bytes, what, maxBytes - start), from - start);
    return { status: 'found', bytes, etag, size: layer.size, date };
  }

  async write(path: string, bytes: Uint8Array, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { directory, name } = placeOf(path);
    const layer = { mediaType: targetType, digest: digestOf(bytes), size: bytes.byteLength, name };
    await this.#put(this.#client(directory), name, [{ ...layer, content: () => piecesOf(bytes) }], options.signal);
  }

  /** Only of files that have an artifact of their own, which metadata has not. */
  async remove(path: string, signal?: AbortSignal): Promise<void> {
    const { directory, name } = placeOf(path);
    await this.#client(directory).removeManifest(name, signal);
  }

  async *list(directory: string, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<string> {
    for await (const tag of this.#client(directory).tags(options.signal)) yield `${directory}/${tag}`;
  }

  /** Targets first; the metadata becomes visible as a whole, by one manifest. */
  async push(files: readonly PublishedFile[], { signal, onFile }: PushOptions): Promise<Sent> {
    const sent = { files: 0, bytes: 0 };
    const targets = this.#client(targetsDirectory);
    for (const file of files.filter(({ path }) => path.startsWith(`${targetsDirectory}/`))) {
      const { name } = placeOf(file.path);
      if (!(await targets.hasManifest(name, signal))) {
        await this.#put(targets, name, [layerOf(file, targetType, onFile)], signal);
        sent.files += 1;
        sent.bytes += file.bytes;
      }
      onFile?.(file.path, file.bytes);
    }
    const metadata = this.#client(metadataDirectory);
    const small = files.filter(({ path }) => path.startsWith(`${metadataDirectory}/`));
    const layers = small.map((file) => layerOf(file, metadataType));
    for (const { digest, size } of layers) {
      if (await metadata.hasBlob(digest, signal)) continue;
      sent.files += 1;
      sent.bytes += size;
    }
    const delegated = layers.filter(({ name }) => name.endsWith('.rollout.json'));
    await this.#put(metadata, 'rollout', delegated, signal);
    await this.#put(metadata, latest, layers, signal);
    for (const { path, bytes } of small) onFile?.(path, bytes);
    return sent;
  }

  async #put(client: RegistryClient, tag: string, layers: readonly NewLayer[], signal: AbortSignal | undefined) {
    await client.putBlob(emptyConfig, () => piecesOf(emptyBlob), signal);
    for (const layer of layers) await client.putBlob(layer, layer.content, signal);
    const manifest = {
      schemaVersion: 2,
      mediaType: manifestType,
      config: emptyConfig,
      layers: layers.map(({ mediaType, digest, size, name }) => ({
        mediaType,
        digest,
        size,
        annotations: { [fileAnnotation]: name },
      })),
    };
    await client.putManifest(tag, manifest, signal);
  }

  #client(directory: string): RegistryClient {
    const known = this.#clients.get(directory);
    if (known !== undefined) return known;
    const client = new RegistryClient(`${this.#repository}/${directory}`, this.#isPlain, this.patience);
    this.#clients.set(directory, client);
    return client;
  }
}

interface NewLayer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  /** The file's. */
  readonly name: string;
  readonly content: () => AsyncIterable<Uint8Array>;
}

function layerOf(
  { path, file, sha256, bytes }: PublishedFile,
  mediaType: string,
  onFile?: PushOptions['onFile'],
): NewLayer {
  return {
    mediaType,
    digest: `sha256:${sha256}`,
    size: bytes,
    name: basename(path),
    content: async function* () {
      let sent = 0;
      for await (const piece of createReadStream(toBuffer(file)) as AsyncIterable<Buffer>) {
        yield piece;
        onFile?.(path, (sent += piece.length));
      }
    },
  };
}

function placeOf(path: string): { directory: string; name: string } {
  const [directory = '', name = '', ...more] = path.split('/');
  if (more.length === 0 && /^[a-z0-9]+([._-]+[a-z0-9]+)*$/.test(directory) && tagPattern.test(name))
    return { directory, name };
  throw new CarrierFailure('CHANNEL_UNREACHABLE', `'${path}' cannot be the name of an artifact in a registry`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
