import type { FastifyDynamicSwaggerOptions as SwaggerDescription } from '@fastify/swagger';
import * as z from 'zod';
import * as parts from '../app/json/parts.js';
import { errorAnswerSchema, job } from './documents.js';

/** Of the description at /api, and in docs/openapi.json. The version is that of the API. */
export const openApiInfo: NonNullable<SwaggerDescription['openapi']> = {
  openapi: '3.1.0',
  info: {
    title: 'lamina serve',
    version: '1',
    description:
      'What lamina serve answers. Each answer is the document that the command prints with --json; see docs/serve.md for who may send requests, jobs and events. New versions may add fields.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  components: {
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', description: 'A token of the token file. Not on a unix socket.' },
      session: {
        type: 'apiKey',
        in: 'cookie',
        name: 'lamina-session-PORT',
        description: 'From POST /login. PORT is the port of the address in the browser.',
      },
    },
  },
  security: [{ token: [] }, { session: [] }],
};

/** What answers share, by the name that the description has for it. */
export const componentSchemas = z.registry<{ id: string }>();
for (const [name, schema] of Object.entries({
  base: parts.base,
  container: parts.container,
  node: parts.node,
  update: parts.update,
  change: parts.change,
  detailedChange: parts.detailedChange,
  operation: parts.operation,
  origin: parts.origin,
  job,
  error: errorAnswerSchema,
}))
  componentSchemas.add(schema, { id: name });

/**
 * Fields that are added later must not break programs that check answers. What is taken is checked strictly; it shares
 * nothing with the answers.
 */
export function openAnswers<T extends object>(description: T): T {
  const { components, paths } = description as unknown as Description;
  const answersOnly = Object.entries(components.schemas).filter(([name]) => !name.endsWith('Input'));
  const schemas = opens(Object.fromEntries(answersOnly));
  return { ...description, components: { ...components, schemas }, paths: openedPaths(paths) };
}

function openedPaths(paths: Description['paths']): Record<string, object> {
  const opened = (route: Route): object => ({ ...route, responses: opens(route.responses) });
  const each = ([path, methods]: [string, Readonly<Record<string, Route>>]) =>
    [path, Object.fromEntries(Object.entries(methods).map(([method, route]) => [method, opened(route)]))] as const;
  return Object.fromEntries(Object.entries(paths).map(each));
}

interface Route {
  readonly responses: unknown;
}

interface Description {
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Route>>>>;
}

function opens(value: unknown): unknown {
  if (Array.isArray(value)) return (value as unknown[]).map(opens);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key, of]) => !(key === 'additionalProperties' && of === false));
  return Object.fromEntries(entries.map(([key, of]) => [key, opens(of)]));
}
