import * as z from 'zod';
import { jsonOf } from '../../../base/json.js';
import { bounded } from '../bounded.js';
import type { Patience } from '../carrier.js';
import { CarrierFailure } from '../failure.js';
import { isSafeFrom, send, shownUrl } from '../request.js';
import { loginFor } from './auth-file.js';
import type { Login } from './login.js';

const tokenSchema = z.looseObject({ token: z.string().optional(), access_token: z.string().optional() });
const largestToken = 1024 * 1024;

/** What a repository is asked for. */
export type Access = 'pull' | 'pull,push' | 'pull,delete';

/** Of a request. */
export interface Refusal {
  readonly headers: Headers;
  readonly url: URL;
  readonly access: Access;
  /** The login that was sent with it. */
  readonly sent: Readonly<Record<string, string>>;
}

/**
 * The login of one repository: basic, or a token that the registry's server of tokens gives for it (the distribution
 * specification's "token" scheme). Nothing is sent before the registry asks for it.
 */
export class Authorization {
  readonly #tokens = new Map<Access, string>();
  #basic: string | undefined;

  constructor(
    readonly repository: string,
    private readonly patience: Patience,
  ) {}

  headers(access: Access): Record<string, string> {
    const token = this.#tokens.get(access);
    if (token !== undefined) return { authorization: `Bearer ${token}` };
    return this.#basic === undefined ? {} : { authorization: this.#basic };
  }

  /**
   * What to send after a refusal; undefined: nothing else than was sent.
   * @param sent the headers that were refused
   */
  async answer(
    { headers, url, access, sent }: Refusal,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, string> | undefined> {
    const challenge = headers.get('www-authenticate') ?? '';
    const login = await loginFor(this.repository, { signal });
    if (/^bearer\s/i.test(challenge))
      this.#tokens.set(access, await this.#token(parametersOf(challenge), url, access, login, signal));
    else if (/^basic\b/i.test(challenge) && login !== undefined && login.user !== '') this.#basic = basicOf(login);
    const now = this.headers(access);
    return now['authorization'] === sent['authorization'] ? undefined : now;
  }

  async #token(
    { realm = '', service }: Partial<Record<string, string>>,
    url: URL,
    access: Access,
    login: Login | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    if (!URL.canParse(realm) || !isSafeFrom(url, new URL(realm)))
      throw new CarrierFailure('CHANNEL_LOGIN', `${shownUrl(url)} does not name a safe token server`);
    const at = new URL(realm);
    const scope = `repository:${this.repository.slice(this.repository.indexOf('/') + 1)}:${access}`;
    const isOauth = login?.identityToken !== undefined;
    const fields = new URLSearchParams({ ...(service === undefined ? {} : { service }), scope });
    if (!isOauth) for (const [key, value] of fields) at.searchParams.append(key, value);
    const answer = isOauth
      ? await send(at, { ...oauthOf(fields, login), signal }, this.patience)
      : await send(
          at,
          { headers: login === undefined ? {} : { authorization: basicOf(login) }, signal },
          this.patience,
        );
    const pieces: Uint8Array[] = [];
    for await (const piece of bounded(answer.bytes, shownUrl(at), largestToken)) pieces.push(piece);
    const given = tokenSchema.safeParse(jsonOf(Buffer.concat(pieces).toString('utf8'))).data;
    const token = given?.token ?? given?.access_token;
    // Anything else could not be sent in a header, and would be shown by the error.
    if (token !== undefined && /^[\x21-\x7e]{1,65536}$/.test(token)) return token;
    throw new CarrierFailure('CHANNEL_LOGIN', `${shownUrl(at)} returned no token`);
  }
}

/** RFC 6749, 6. */
function oauthOf(fields: URLSearchParams, { identityToken = '' }: Login) {
  const form = new URLSearchParams(fields);
  form.set('grant_type', 'refresh_token');
  form.set('client_id', 'lamina');
  form.set('refresh_token', identityToken);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', headers, body: Buffer.from(form.toString()) } as const;
}

function basicOf({ user, password }: Login): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** `Bearer realm="https://…",service="…",scope="…"` (RFC 9110, 11.6.1). */
function parametersOf(challenge: string): Partial<Record<string, string>> {
  const found = challenge.matchAll(/([a-z_]+)="([^"]*)"/gi);
  return Object.fromEntries([...found].map(([, key = '', value = '']) => [key.toLowerCase(), value]));
}
