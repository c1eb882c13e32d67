import type { IncomingHttpHeaders } from 'node:http';
import { messageOf } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { HttpRefusal } from './error-answer.js';
import { sessionIn } from './sessions.js';
import type { Sessions } from './sessions.js';
import type { Token, TokenFile } from './tokens.js';

/** Who sends the request. */
export interface Caller {
  /** Of its token; null: it came by the unix socket, whose mode says who may. */
  readonly token: string | null;
  /** The user at the other end of a unix socket; null: it came by TCP. */
  readonly user: number | null;
  readonly mayChange: boolean;
}

/** What the server requires of its callers. */
export interface Rules {
  readonly allowChanges: boolean;
  /** Undefined: on a unix socket. Else the port that callers see. */
  readonly port: number | undefined;
  readonly tokens: TokenFile | undefined;
  readonly sessions: Sessions;
}

export interface Asked {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** See `Caller`. */
  readonly user: number | null;
}

const reads = ['GET', 'HEAD'];
const ownNames = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * Refuses requests that a page of another site makes a browser send. Such a page may point its own host name at
 * 127.0.0.1 (DNS rebinding): then Host has that name. It may send forms: then Origin has its own, and on the same host
 * another port. Holds for the unix socket too, to which ssh and others forward ports.
 * @throws HttpRefusal
 */
export function checkOrigin({ method, headers }: Omit<Asked, 'user'>, { port }: Rules): void {
  const { host, origin } = headers;
  const [, name, given] = /^(127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?$/.exec(host ?? '') ?? [];
  const isOwn = port === undefined ? name !== undefined : name !== undefined && (given ?? '80') === String(port);
  if (!isOwn)
    throw new HttpRefusal(
      421,
      'WRONG_HOST',
      'the address in the Host header is not that of this server',
      `use one of ${ownNames.map((each) => `http://${each}${port === undefined ? '' : `:${port}`}`).join(', ')}`,
    );
  const site = headers['sec-fetch-site'];
  const isForeign = origin !== undefined && origin !== `http://${host ?? ''}`;
  const isFromElsewhere = site !== undefined && site !== 'same-origin' && site !== 'none';
  // A link from another site may be followed; it only shows the page, without the cookie.
  const isLink = reads.includes(method) && headers['sec-fetch-mode'] === 'navigate';
  if (isForeign || (isFromElsewhere && !isLink))
    throw new HttpRefusal(
      403,
      'FOREIGN_ORIGIN',
      'the request comes from a page of another origin',
      'in a browser, only the page of this server may send requests',
    );
}

/** Who sends the request, by token, session or socket. @throws HttpRefusal 401: nobody that is known */
export function callerOf({ method, headers, user }: Asked, rules: Rules): Caller {
  if (rules.tokens === undefined) return { token: null, user, mayChange: rules.allowChanges };
  reloadTokens(rules.tokens);
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const session = sessionIn(headers);
  const token =
    bearer !== undefined ? rules.tokens.find(bearer) : session === undefined ? undefined : sessionToken(session, rules);
  if (token === undefined)
    throw new HttpRefusal(
      401,
      'NO_TOKEN',
      'the request has no token that this server knows',
      'log in on the page, or send a token of the token file: Authorization: Bearer TOKEN',
    );
  // A browser sends Origin with everything that is not a read; what lacks it was not sent by the page.
  if (bearer === undefined && !reads.includes(method) && headers.origin === undefined)
    throw new HttpRefusal(403, 'NO_ORIGIN', 'the request has a cookie, but no Origin', 'send the token instead');
  return { token: token.name, user, mayChange: rules.allowChanges && !token.readOnly };
}

function sessionToken(session: string, { sessions, tokens }: Rules): Token | undefined {
  const digest = sessions.tokenOf(session);
  return digest === undefined ? undefined : tokens?.withDigest(digest);
}

/**
 * No request is accepted while the file cannot be used; what is wrong with it is not for strangers. @throws HttpRefusal
 * 503
 */
export function reloadTokens(tokens: TokenFile): void {
  try {
    tokens.reload();
  } catch (error) {
    warn(`no request is accepted: ${messageOf(error)}`);
    throw new HttpRefusal(503, 'NO_TOKENS', 'the token file cannot be used', 'see the output of the server');
  }
}

/** @throws HttpRefusal 403 */
export function requireChange(caller: Caller, { allowChanges }: Rules): void {
  if (caller.mayChange) return;
  throw allowChanges
    ? new HttpRefusal(
        403,
        'READ_ONLY_TOKEN',
        `the token ${caller.token ?? ''} is read-only`,
        'use another token, or remove read-only from its line in the token file',
      )
    : new HttpRefusal(
        403,
        'READ_ONLY_SERVER',
        'this server is read-only',
        'start it with --allow-changes, or run the command on the machine',
      );
}

/** Of every answer. Nothing inline, nothing from elsewhere, no frame around it, no guess of a type. */
export const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const;
