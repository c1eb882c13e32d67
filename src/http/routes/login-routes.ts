import * as z from 'zod';
import { document, loginAnswer } from '../documents.js';
import { HttpRefusal } from '../error-answer.js';
import { reloadTokens } from '../guard.js';
import { cookieHeader, sessionIn } from '../sessions.js';
import type { App, Served } from '../served.js';
import { answers } from './shapes.js';

const body = z.strictObject({ token: z.string().min(1).max(500) });

/** The page shows the token once, and has a cookie from then on. */
export function addLoginRoutes(app: App, { rules }: Served): void {
  app.post(
    '/login',
    {
      schema: {
        summary: 'begin a session of the page, with a token of the token file',
        body,
        response: answers(loginAnswer),
      },
    },
    (request, reply) => {
      const { tokens, sessions, allowChanges } = rules;
      if (tokens !== undefined) reloadTokens(tokens);
      const token = tokens?.find(request.body.token);
      if (token === undefined)
        throw new HttpRefusal(
          401,
          'NO_TOKEN',
          tokens === undefined ? 'this server uses no tokens' : 'that is not a token of this server',
          tokens === undefined ? 'send requests without a token' : 'see the file of --token-file',
        );
      void reply.headers({
        'set-cookie': cookieHeader(request.headers.host, sessions.begin(token.digest)),
        'cache-control': 'no-store',
      });
      return document({ token: token.name, allowChanges: allowChanges && !token.readOnly });
    },
  );
  app.post('/logout', { schema: { summary: 'end the session', body: z.strictObject({}) } }, (request, reply) => {
    const session = sessionIn(request.headers);
    if (session !== undefined) rules.sessions.end(session);
    return reply.code(204).header('set-cookie', cookieHeader(request.headers.host, undefined)).send();
  });
}
