import { createHash, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Milliseconds from the login on, and how many there may be. */
const longest = 12 * 3_600_000;
const most = 1000;

/**
 * Browsers send the cookies of a host to all its ports, so the name has the port: servers on one machine do not end
 * each other's sessions.
 * @param host of the request, as `checkOrigin` accepts it
 */
const cookieName = (host: string | undefined): string =>
  `lamina-session-${/:(\d{1,5})$/.exec(host ?? '')?.[1] ?? '80'}`;

interface Session {
  /** Hash of the token that was shown at the login. */
  readonly token: Buffer;
  readonly until: number;
}

/** Logins of the page. They end with the server. */
export class Sessions {
  readonly #byHash = new Map<string, Session>();

  constructor(readonly now: () => number = Date.now) {}

  /** @returns the value of the cookie */
  begin(token: Buffer): string {
    const now = this.now();
    for (const [hash, { until }] of this.#byHash) if (until <= now) this.#byHash.delete(hash);
    for (const [oldest] of this.#byHash) if (this.#byHash.size >= most) this.#byHash.delete(oldest);
    const value = randomBytes(32).toString('base64url');
    this.#byHash.set(hashOf(value), { token, until: now + longest });
    return value;
  }

  /** The hash of the token; undefined: there is no such session. */
  tokenOf(value: string): Buffer | undefined {
    const session = this.#byHash.get(hashOf(value));
    return session !== undefined && session.until > this.now() ? session.token : undefined;
  }

  end(value: string): void {
    this.#byHash.delete(hashOf(value));
  }
}

/** Looking up a hash takes a time that says nothing about the value. */
const hashOf = (value: string) => createHash('sha256').update(value).digest('hex');

/** The value of the session's cookie in the headers of a request; undefined: it has none. */
export function sessionIn({ host, cookie }: Pick<IncomingHttpHeaders, 'host' | 'cookie'>): string | undefined {
  const wanted = cookieName(host);
  for (const part of (cookie ?? '').split(';')) {
    const [name, value] = part.trim().split(/=(.*)/s);
    if (name === wanted && value !== undefined) return value;
  }
  return undefined;
}

/**
 * Not `Secure`: the server speaks HTTP, on the loopback device only. Not for scripts, and never sent from another site.
 * @param value undefined: the browser forgets it
 */
export function cookieHeader(host: string | undefined, value: string | undefined): string {
  const age = value === undefined ? 0 : Math.floor(longest / 1000);
  return `${cookieName(host)}=${value ?? ''}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${age}`;
}
