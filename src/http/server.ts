import { createServer } from 'node:http';
import fastify from 'fastify';
import type { FastifyReply } from 'fastify';
import swagger from '@fastify/swagger';
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { LaminaError, messageOf } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { componentSchemas, openAnswers, openApiInfo } from './open-api.js';
import { HttpRefusal, errorAnswer, fromFramework } from './error-answer.js';
import { callerOf, checkOrigin, securityHeaders } from './guard.js';
import { peerUser } from './peer-user.js';
import { parseQuery } from './query.js';
import { addActionRoutes } from './routes/action-routes.js';
import { addFleetRoutes } from './routes/fleet-routes.js';
import { addContainerRoutes } from './routes/container-routes.js';
import { addJobRoutes } from './routes/job-routes.js';
import { addLoginRoutes } from './routes/login-routes.js';
import { addMetrics } from './metrics.js';
import { addPageRoutes } from './routes/page-routes.js';
import { addStoreRoutes } from './routes/store-routes.js';
import { addUpdateRoutes } from './routes/update-routes.js';
import type { App, Served } from './served.js';
import { StoreEvents } from './store-events.js';

/** Bytes of a body, of all headers; milliseconds for the headers, and for the whole request. */
const longestBody = 1 << 20;
const longestHeaders = 16 << 10;
const headersPatience = 10_000;
const requestPatience = 30_000;
const mostConnections = 4096;

/** The server, not yet listening. Closing it ends its streams; jobs continue. */
export async function makeServer(served: Served): Promise<App> {
  const app = emptyServer();
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(validatorCompiler);
  // Answers are what commands print; tests compare each with its schema.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, _request, reply) => answerError(reply, error));
  app.setNotFoundHandler((_request, reply) =>
    answerError(reply, new HttpRefusal(404, 'NO_ROUTE', 'no route has this address', 'see /api for the routes')),
  );
  addGuard(app, served);
  await app.register(swagger, {
    openapi: openApiInfo,
    transform: createJsonSchemaTransform({ schemaRegistry: componentSchemas }),
    transformObject: (document) =>
      openAnswers(createJsonSchemaTransformObject({ schemaRegistry: componentSchemas })(document)),
  });
  // Before readers are notified of the job's end, and ask again.
  served.jobs.onChange(() => {
    served.status.forget();
  });
  const events = new StoreEvents(served.store, served.jobs);
  app.addHook('preClose', (done) => {
    events.close();
    served.streams.close();
    served.jobs.close();
    done();
  });
  // Before the routes below: they take over its hook, which counts their answers.
  addMetrics(app, served);
  await app.register(addApi(served, events), { prefix: '/api/v1' });
  addLoginRoutes(app, served);
  addPageRoutes(app);
  return app;
}

function emptyServer(): App {
  return fastify({
    bodyLimit: longestBody,
    forceCloseConnections: true,
    return503OnClosing: false,
    serverFactory: (handler) => {
      const limits = {
        maxHeaderSize: longestHeaders,
        headersTimeout: headersPatience,
        requestTimeout: requestPatience,
      };
      const server = createServer({ ...limits, connectionsCheckingInterval: 1000 }, handler);
      server.maxConnections = mostConnections;
      return server;
    },
    frameworkErrors: (error, _request, reply) => {
      void answerError(reply, error);
    },
    routerOptions: { querystringParser: parseQuery, maxParamLength: 1000, caseSensitive: true },
  }).withTypeProvider<ZodTypeProvider>();
}

const addApi =
  (served: Served, events: StoreEvents) =>
  (api: App, _options: object, done: () => void): void => {
    addStoreRoutes(api, served);
    addContainerRoutes(api, served);
    addUpdateRoutes(api, served);
    addFleetRoutes(api, served);
    addJobRoutes(api, served, events);
    addActionRoutes(api, served);
    done();
  };

/** Addresses that need no token: the page itself, which asks for one, and the login. */
const open = /^\/(?:$|assets\/|login$|favicon\.ico$)/;

function addGuard(app: App, { rules, callers }: Served): void {
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    void reply.headers(securityHeaders);
    try {
      const asked = { method: raw.method ?? '', headers: raw.headers };
      checkOrigin(asked, rules);
      const { url = '' } = request.routeOptions;
      if (!open.test(url) && url !== '/assets/*') {
        void reply.header('cache-control', 'no-store');
        const user = rules.port === undefined ? peerUser(raw.socket) : null;
        callers.set(raw, callerOf({ ...asked, user }, rules));
      }
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

/** Characters: keys that are not known are named, and may be as long as a body. */
const longestFault = 1000;

interface Invalid {
  readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[];
  readonly validationContext?: string;
}

function answerError(reply: FastifyReply, thrown: unknown): FastifyReply {
  const { validation, validationContext } = thrown as Invalid;
  const error = validation === undefined ? fromFramework(thrown) : invalid(validation, validationContext ?? 'request');
  const { status, headers, body } = errorAnswer(error);
  if (status >= 500 && !(error instanceof LaminaError)) warn(`a request failed: ${messageOf(error)}`);
  return reply
    .code(status)
    .headers({ ...securityHeaders, ...headers, 'cache-control': 'no-store' })
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(body);
}

function invalid(faults: NonNullable<Invalid['validation']>, where: string): HttpRefusal {
  const texts = faults.slice(0, 5).map(({ instancePath, message = 'is wrong' }) => {
    const at = instancePath.replaceAll('/', '.').replace(/^\./, '');
    return at === '' ? message : `${at}: ${message}`;
  });
  const faulty = texts.join('; ').slice(0, longestFault);
  return new HttpRefusal(400, 'USAGE', `the ${where} is not valid for this route: ${faulty}`, 'see /api');
}
