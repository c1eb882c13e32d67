import { createHash } from 'node:crypto';
import * as z from 'zod';
import { refused } from '../../../base/errors.js';
import { jsonOf } from '../../../base/json.js';
import { bounded } from '../bounded.js';
import type { Patience } from '../carrier.js';
import { CarrierFailure } from '../failure.js';
import { redirectedTo, send, shownUrl } from '../request.js';
import type { Answer, Request } from '../request.js';
import { withRetries } from '../retry.js';
import { Authorization } from './authorization.js';
import type { Access } from './authorization.js';

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const largestManifest = 4 * 1024 * 1024;

const descriptor = z.looseObject({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const manifestSchema = z.looseObject({ schemaVersion: z.literal(2), layers: z.array(descriptor).max(20_000) });

const tagsSchema = z.looseObject({ tags: z.array(z.string()).nullable() });
/** Registries give 50 tags a page and more. */
const mostPages = 50_000;

export type Descriptor = z.infer<typeof descriptor>;
export type Manifest = z.infer<typeof manifestSchema>;

export type ManifestAnswer =
  | { readonly status: 'unchanged' | 'absent' }
  | { readonly status: 'found'; readonly manifest: Manifest; readonly etag: string; readonly date: Date | undefined };

/** One repository of a registry, by the distribution protocol of OCI, as far as artifacts need it. */
export class RegistryClient {
  readonly #base: URL;
  readonly #authorization: Authorization;

  /** @param repository the registry and the repository: `registry.example:5000/team/channel/metadata` */
  constructor(
    readonly repository: string,
    readonly isPlain: boolean,
    readonly patience: Patience,
  ) {
    const slash = repository.indexOf('/');
    const origin = `${isPlain ? 'http' : 'https'}://${repository.slice(0, slash)}`;
    this.#base = new URL(`${origin}/v2/${repository.slice(slash + 1)}/`);
    this.#authorization = new Authorization(repository, patience);
  }

  /** @param etag of an earlier answer: if the manifest is the same, the answer is `unchanged` */
  async manifest(tag: string, etag: string | undefined, signal: AbortSignal | undefined): Promise<ManifestAnswer> {
    const url = this.#url(`manifests/${tag}`);
    const answer = await this.#send(url, {
      headers: { accept: manifestType, ...(etag === undefined ? {} : { 'if-none-match': etag }) },
      signal,
      accepts: [304, 404],
    });
    if (answer.status !== 200) answer.discard();
    if (answer.status === 304) return { status: 'unchanged' };
    if (answer.status === 404) return { status: 'absent' };
    const bytes = await allOf(bounded(answer.bytes, shownUrl(url), largestManifest));
    const parsed = manifestSchema.safeParse(jsonOf(bytes.toString('utf8')));
    if (!parsed.success)
      throw new CarrierFailure('CHANNEL_UNREACHABLE', `${shownUrl(url)} is not the manifest of an artifact`);
    const date = Date.parse(answer.headers.get('date') ?? '');
    return {
      status: 'found',
      manifest: parsed.data,
      etag: answer.headers.get('etag') ?? `"${digestOf(bytes)}"`,
      date: Number.isNaN(date) ? undefined : new Date(date),
    };
  }

  /** The answer's status is 200, 206, 404 or 416. */
  async blob(digest: string, from: number, signal: AbortSignal | undefined): Promise<Answer> {
    const headers = from === 0 ? {} : { range: `bytes=${from}-` };
    return this.#send(this.#url(`blobs/${digest}`), { headers, signal, accepts: [404, ...(from === 0 ? [] : [416])] });
  }

  async hasBlob(digest: string, signal: AbortSignal | undefined): Promise<boolean> {
    return withRetries(this.patience, signal, () => this.#hasBlob(digest, signal));
  }

  async #hasBlob(digest: string, signal: AbortSignal | undefined): Promise<boolean> {
    const answer = await this.#send(this.#url(`blobs/${digest}`), { method: 'HEAD', signal, accepts: [404] });
    answer.discard();
    return answer.status !== 404;
  }

  async hasManifest(tag: string, signal: AbortSignal | undefined): Promise<boolean> {
    const headers = { accept: manifestType };
    const url = this.#url(`manifests/${tag}`);
    return withRetries(this.patience, signal, async () => {
      const answer = await this.#send(url, { method: 'HEAD', headers, signal, accepts: [404] });
      answer.discard();
      return answer.status !== 404;
    });
  }

  /** @param content makes the bytes again for each attempt; they must have the digest */
  async putBlob(
    { digest, size }: { readonly digest: string; readonly size: number },
    content: () => AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await withRetries(this.patience, signal, async () => {
      if (await this.#hasBlob(digest, signal)) return;
      const start = this.#url('blobs/uploads/');
      const begun = await this.#send(start, { method: 'POST', headers: { 'content-length': '0' }, signal });
      begun.discard();
      const location = begun.headers.get('location');
      if (location === null)
        throw new CarrierFailure('CHANNEL_UNREACHABLE', `${shownUrl(start)} does not give an address for the upload`);
      const url = redirectedTo(start, location, start);
      url.searchParams.set('digest', digest);
      const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) };
      (await this.#send(url, { method: 'PUT', headers, body: content(), signal })).discard();
    });
  }

  async putManifest(tag: string, manifest: object, signal: AbortSignal | undefined): Promise<void> {
    const body = Buffer.from(JSON.stringify(manifest));
    await withRetries(this.patience, signal, async () => {
      const headers = { 'content-type': manifestType };
      (await this.#send(this.#url(`manifests/${tag}`), { method: 'PUT', headers, body, signal })).discard();
    });
  }

  /**
   * Removes what a tag names; a missing one is no error. By its digest: older registries remove nothing by a tag.
   * @throws LaminaError refused (CHANNEL_KEEPS): the registry does not allow it
   */
  async removeManifest(tag: string, signal: AbortSignal | undefined): Promise<void> {
    const found = await withRetries(this.patience, signal, () => this.#bytesOf(tag, signal));
    if (found === undefined) return;
    const url = this.#url(`manifests/${digestOf(found)}`);
    await withRetries(this.patience, signal, async () => {
      const answer = await this.#send(url, { method: 'DELETE', signal, accepts: [404, 405] });
      answer.discard();
      if (answer.status === 405) throw keeps(shownUrl(this.#base));
    });
  }

  /** Of a manifest; undefined: it does not exist. */
  async #bytesOf(tag: string, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
    const url = this.#url(`manifests/${tag}`);
    const answer = await this.#send(url, { headers: { accept: manifestType }, signal, accepts: [404] });
    if (answer.status !== 404) return allOf(bounded(answer.bytes, shownUrl(url), largestManifest));
    answer.discard();
    return undefined;
  }

  /**
   * Page by page, as the registry gives them; a tag may come more than once. None where there is no such repository.
   * @throws CarrierFailure CHANNEL_UNREACHABLE: the pages go in a circle, or have no end
   */
  async *tags(signal: AbortSignal | undefined): AsyncGenerator<string> {
    const seen = new Set<string>();
    for (let url: URL | undefined = this.#url('tags/list?n=1000'); url !== undefined;) {
      const at: URL = url;
      if (seen.has(at.href) || seen.size >= mostPages) throw notTheNext(at);
      seen.add(at.href);
      const page = await this.#page(at, signal);
      // There could be pages without end.
      if (page === undefined || page.tags.length === 0) return;
      yield* page.tags;
      url = this.#nextPage(page.link, at);
    }
  }

  /** Undefined: there is no such repository. */
  async #page(at: URL, signal: AbortSignal | undefined): Promise<{ tags: string[]; link: string } | undefined> {
    const page = await withRetries(this.patience, signal, async () => {
      const answer = await this.#send(at, { signal, accepts: [404] });
      if (answer.status !== 404)
        return { answer, bytes: await allOf(bounded(answer.bytes, shownUrl(at), largestManifest)) };
      answer.discard();
      return undefined;
    });
    if (page === undefined) return undefined;
    const parsed = tagsSchema.safeParse(jsonOf(page.bytes.toString('utf8')));
    if (!parsed.success) throw new CarrierFailure('CHANNEL_UNREACHABLE', `${shownUrl(at)} is not a list of tags`);
    return { tags: parsed.data.tags ?? [], link: page.answer.headers.get('link') ?? '' };
  }

  #nextPage(link: string, at: URL): URL | undefined {
    const next = /<([^>]+)>\s*;\s*rel="?next"?/i.exec(link)?.[1];
    if (next === undefined) return undefined;
    const url = URL.canParse(next, at.href) ? new URL(next, at) : undefined;
    if (url?.origin === this.#base.origin && url.href !== at.href) return url;
    throw notTheNext(at);
  }

  #url(path: string): URL {
    return new URL(path, this.#base);
  }

  /** With the login that the registry asks for, if it asks. */
  async #send(url: URL, request: Request): Promise<Answer> {
    const access = accessOf(request.method);
    const isOwn = url.origin === this.#base.origin;
    const sent = isOwn ? this.#authorization.headers(access) : {};
    const accepts = [...(request.accepts ?? []), 401];
    const answer = await send(url, { ...request, accepts, headers: { ...request.headers, ...sent } }, this.patience);
    if (answer.status !== 401) return answer;
    answer.discard();
    const refusal = { headers: answer.headers, url, access, sent } as const;
    const login = isOwn ? await this.#authorization.answer(refusal, request.signal) : undefined;
    if (login === undefined)
      throw new CarrierFailure(
        'CHANNEL_LOGIN',
        `${shownUrl(url)} refuses the login, or the auth file has no login for it`,
      );
    // A body that was partly sent cannot be sent again: the attempt as a whole is made again.
    if (request.body !== undefined && !(request.body instanceof Uint8Array))
      throw new CarrierFailure('CHANNEL_LOGIN', `${shownUrl(url)} requires the login again`, { transient: true });
    return send(url, { ...request, headers: { ...request.headers, ...login } }, this.patience);
  }
}

function notTheNext(at: URL): CarrierFailure {
  return new CarrierFailure(
    'CHANNEL_UNREACHABLE',
    `the next page of ${shownUrl(at)} is not a page of the same list, or one that was read already`,
  );
}

function accessOf(method: Request['method']): Access {
  if (method === 'DELETE') return 'pull,delete';
  return method === undefined || method === 'GET' || method === 'HEAD' ? 'pull' : 'pull,push';
}

function keeps(repository: string) {
  return refused(`${repository} does not allow files to be removed`, {
    code: 'CHANNEL_KEEPS',
    hint: 'allow it in the registry (Distribution: storage.delete.enabled), or let a rule of the registry remove old tags',
  });
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export async function allOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}
