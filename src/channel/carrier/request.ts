import { version } from '../../base/version.js';
import { within, watched } from './bounded.js';
import type { Patience } from './carrier.js';
import { CarrierFailure } from './failure.js';
import { retryAfterMs } from './retry.js';

export interface Request {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Statuses beside 2xx that are answers, not failures. */
  readonly accepts?: readonly number[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Where the answer came from at the end, without what only the server needs. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Ends the transfer, if the bytes are not wanted. */
  readonly discard: () => void;
}

/**
 * One request by HTTP, whose answer begins, and continues, in time. `fetch` decompresses whatever says that it is
 * compressed: such an answer is refused, as its size and its places would not be those of the file.
 * @throws CarrierFailure CHANNEL_UNREACHABLE, CHANNEL_TIMEOUT, CHANNEL_BUSY (429 and 503), CHANNEL_LOGIN (401 and 403)
 */
export async function send(url: URL, request: Request, patience: Patience): Promise<Answer> {
  const what = shownUrl(url);
  const controller = new AbortController();
  const watch = {
    signal: request.signal,
    cancel: () => {
      controller.abort();
    },
  };
  const response = await within(followed(url, request, controller.signal), patience.idleMs, what, watch);
  const { status, headers } = response;
  if (!response.ok && !(request.accepts ?? []).includes(status)) {
    controller.abort();
    throw failureOf(what, response);
  }
  if ((headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity') {
    controller.abort();
    throw new CarrierFailure('CHANNEL_UNREACHABLE', `${what} sends something compressed, which was not asked for`);
  }
  const body = (response.body ?? []) as unknown as AsyncIterable<Uint8Array>;
  return { status, headers, bytes: watched(body, what, patience, watch), discard: watch.cancel };
}

const mostRedirects = 5;
const resending = new Set([307, 308]);
const redirects = new Set([301, 302, 303, ...resending]);

/**
 * The response at the end of redirects, which only requests without a body follow. A server must not lead a machine
 * from HTTPS to HTTP, in a circle, or to another server with the login for this one.
 */
async function followed(url: URL, request: Request, signal: AbortSignal): Promise<Response> {
  const { method = 'GET', headers = {}, body } = request;
  const { authorization, ...open } = headers;
  for (let at = url, count = 0; ; count++) {
    const login = authorization === undefined || at.origin !== url.origin ? {} : { authorization };
    const response = await fetch(at, {
      method,
      headers: { 'user-agent': `lamina/${version}`, 'accept-encoding': 'identity', ...open, ...login },
      signal,
      redirect: 'manual',
      ...(body === undefined ? {} : { body, duplex: 'half' }),
    });
    const location = response.headers.get('location');
    const isFollowed = (method === 'POST' ? resending : redirects).has(response.status);
    if (!isFollowed || location === null || body !== undefined) return response;
    await response.body?.cancel();
    at = redirectedTo(at, location, url);
    if (count >= mostRedirects)
      throw new CarrierFailure('CHANNEL_UNREACHABLE', `${shownUrl(url)} redirects more than ${mostRedirects} times`);
  }
}

/** Whether a server may name an address: not one without TLS if it has TLS itself, nor one with a login. */
export function isSafeFrom(from: URL, { protocol, username, password }: URL): boolean {
  const isWeb = protocol === 'https:' || (protocol === 'http:' && from.protocol === 'http:');
  return isWeb && username === '' && password === '';
}

/** Where a redirect leads. @throws CarrierFailure: it is no address, or not a safe one */
export function redirectedTo(from: URL, location: string, asked: URL): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to !== undefined && isSafeFrom(from, to)) return to;
  throw new CarrierFailure(
    'CHANNEL_UNREACHABLE',
    `${shownUrl(asked)} redirects to ${to === undefined ? 'no address' : shownUrl(to)}, which is not safe`,
    { hint: 'give the address of the channel as it is now, or have the server redirect to HTTPS only' },
  );
}

function failureOf(what: string, { status, statusText, headers }: Response): CarrierFailure {
  const words = `${what} answers ${status}${statusText === '' ? '' : ` ${statusText}`}`;
  const wait = retryAfterMs(headers.get('retry-after'));
  if (status === 429 || status === 503)
    return new CarrierFailure('CHANNEL_BUSY', words, { transient: true, retryAfterMs: wait });
  if (status === 401 || status === 403) return new CarrierFailure('CHANNEL_LOGIN', words);
  const transient = status >= 500 || status === 408;
  return new CarrierFailure('CHANNEL_UNREACHABLE', words, { transient, retryAfterMs: wait });
}

/** For messages: without a login and a query, which may be secret. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
