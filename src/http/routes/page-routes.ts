import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpRefusal } from '../error-answer.js';
import { formFor, noPage, pageFiles } from '../page-files.js';
import type { App } from '../served.js';

/** The page, and the description of the API. */
export function addPageRoutes(app: App): void {
  const files = pageFiles();
  const send = (path: string, request: FastifyRequest, reply: FastifyReply) => {
    const file = files.get(path);
    if (file === undefined)
      throw new HttpRefusal(
        404,
        'NO_FILE',
        'the page has no such file',
        'reload the page: it may be of another version',
      );
    const { content, encoding } = formFor(file, request.headers['accept-encoding']);
    // Each form has an etag of its own.
    const etag = encoding === undefined ? file.etag : `${file.etag.slice(0, -1)}-${encoding}"`;
    void reply.headers({ etag, vary: 'accept-encoding', 'cache-control': 'no-cache', 'content-type': file.type });
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    if (encoding !== undefined) void reply.header('content-encoding', encoding);
    return reply.send(content);
  };
  const hide = { schema: { hide: true } };
  app.get('/', hide, (request, reply) =>
    files.has('/index.html')
      ? send('/index.html', request, reply)
      : reply.type('text/plain; charset=utf-8').send(noPage),
  );
  app.get('/assets/*', hide, (request, reply) =>
    send(`/assets/${(request.params as { '*': string })['*']}`, request, reply),
  );
  app.get('/favicon.ico', hide, (request, reply) => send('/favicon.ico', request, reply));
  let description: string | undefined;
  app.get('/api', hide, (_request, reply) => {
    description ??= JSON.stringify(app.swagger());
    return reply.type('application/json; charset=utf-8').send(description);
  });
}
