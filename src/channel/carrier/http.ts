import { usage } from '../../base/errors.js';
import { bounded, piecesOf, skip, tooLong } from './bounded.js';
import type { Carrier, Patience, ReadOptions, ReadResult } from './carrier.js';
import { send, shownUrl } from './request.js';
import type { Answer } from './request.js';

/** A channel on any static web server: one request a file, nothing that needs code on the server. */
export class HttpCarrier implements Carrier {
  readonly #base: URL;

  constructor(
    readonly url: string,
    readonly patience: Patience,
  ) {
    const base = new URL(url);
    if (base.username !== '' || base.password !== '' || base.search !== '' || base.hash !== '')
      throw usage(`the address of a channel is only ${shownUrl(base)}: it has no login and no query`, {
        hint: 'restrict access to the channel by the network; its content is signed, and not secret',
      });
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.#base = base;
  }

  async read(path: string, { maxBytes, etag, from = 0, signal }: ReadOptions): Promise<ReadResult> {
    const url = new URL(path.split('/').map(encodeURIComponent).join('/'), this.#base);
    const headers = {
      ...(etag === undefined ? {} : conditionOf(etag)),
      ...(from === 0 ? {} : { range: `bytes=${from}-` }),
    };
    const accepts = [304, 404, 410, ...(from === 0 ? [] : [416])];
    const answer = await send(url, { headers, signal, accepts }, this.patience);
    if (answer.status !== 200 && answer.status !== 206) {
      answer.discard();
      // 416: the file has no byte there.
      if (answer.status === 416) return { status: 'found', bytes: piecesOf() };
      return { status: answer.status === 304 ? 'unchanged' : 'absent' };
    }
    return found(answer, shownUrl(url), maxBytes, from);
  }
}

/** What makes a request conditional: the server's tag, or else the time that it gave. */
function conditionOf(etag: string): Record<string, string> {
  return etag.startsWith(lastModified)
    ? { 'if-modified-since': etag.slice(lastModified.length) }
    : { 'if-none-match': etag };
}

const lastModified = 'last-modified ';

function found(answer: Answer, what: string, maxBytes: number, from: number): ReadResult {
  const { headers, status } = answer;
  const length = countOf(headers.get('content-length'));
  const size = status === 206 ? countOf(/\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] ?? null) : length;
  if ((size ?? 0) > maxBytes) {
    answer.discard();
    throw tooLong(what, maxBytes);
  }
  // A server that does not know ranges sends the whole file.
  const skipped = status === 206 ? answer.bytes : skip(answer.bytes, from);
  const since = headers.get('last-modified');
  return {
    status: 'found',
    bytes: bounded(skipped, what, maxBytes - from),
    etag: headers.get('etag') ?? (since === null ? undefined : `${lastModified}${since}`),
    size,
    date: dateOf(headers.get('date')),
  };
}

function countOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function dateOf(text: string | null): Date | undefined {
  const date = Date.parse(text ?? '');
  return Number.isNaN(date) ? undefined : new Date(date);
}
