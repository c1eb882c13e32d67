import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillChannel } from '../support/fleet-world.js';
import { World, checkout, mayMount } from '../support/lamina.js';
import { Server } from '../support/serve-client.js';

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly [key: string]: unknown;
}

interface Route {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: Schema }>> }>>;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Route>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const description = JSON.parse(readFileSync(join(checkout, 'docs/openapi.json'), 'utf8')) as Description;
const routes = Object.entries(description.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, route]) => ({ name: `${method} ${path}`, method, path, route })),
);
/** A process answers these: fewer are tried. */
const slow = /changes$|diff$|explain$|processes$|log$|displaced$|fleet/;

/** A schema of the description that stands alone. */
function schemaOf(schema: Schema): z.ZodType {
  const text = JSON.stringify({ ...schema, $defs: description.components.schemas });
  return z.fromJSONSchema(
    JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Parameters<typeof z.fromJSONSchema>[0],
  );
}

/** Every answer is as docs/openapi.json has it, whatever is asked. */
describe.skipIf(!mayMount)('the contract of the API', () => {
  let world: World;
  let server: Server;
  let machine: string;
  beforeAll(async () => {
    world = new World('contract');
    await world.initWithTiny();
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo mine >>/etc/app.conf');
    await world.run('update', 'apply', 'tiny', world.script('first', 'echo first >>/etc/app.conf'));
    // Read-only: no action changes what the next question is about.
    const { channel, machines } = await fillChannel(world);
    machine = machines.good.id;
    server = await Server.start(world, ['--listen', `unix:${world.path('serve.sock')}`, '--channel', channel]);
    await server.done('/verify', { quick: true });
  });
  afterAll(async () => {
    await server.end();
    world.remove();
  });

  const known = [
    'web',
    'db',
    'tiny',
    'first',
    'nobody',
    '/etc/app.conf',
    '/',
    '__proto__',
    '<b>',
    'état',
    '0',
    '-1',
    '',
  ];
  const text = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: fc.string() });

  function valueOf(schema: Schema): fc.Arbitrary<string> {
    const { type, minimum = 0, maximum = 100 } = schema;
    if (schema.enum !== undefined) return fc.oneof(fc.constantFrom(...schema.enum), text);
    if (type !== 'integer') return text;
    return fc.oneof(fc.integer({ min: minimum, max: Math.min(maximum, 200) }).map(String), text);
  }

  /** An address of a route, with parameters as it takes them, and as it does not. */
  function addressOf(path: string, { parameters = [] }: Route): fc.Arbitrary<string> {
    const values = parameters.map(({ schema }) => fc.option(valueOf(schema), { freq: 4, nil: undefined }));
    return fc.tuple(...values).map((given) => {
      let address = path;
      const query: string[] = [];
      parameters.forEach(({ name, in: place }, at) => {
        const value = given[at];
        if (place === 'path') address = address.replace(`{${name}}`, encodeURIComponent(value ?? 'web'));
        else if (value !== undefined) query.push(`${name}=${encodeURIComponent(value)}`);
      });
      return query.length === 0 ? address : `${address}?${query.join('&')}`;
    });
  }

  async function check(route: Route, method: string, address: string, body?: object): Promise<number> {
    const answer = await server.ask(address, { method: method.toUpperCase(), ...(body && { body }) });
    const { status } = answer;
    const expected = route.responses[String(status)] ?? route.responses[`${String(status).charAt(0)}XX`];
    expect(expected, `${method} ${address} answers ${status}: ${answer.text}`).toBeDefined();
    const schema = expected!.content?.['application/json']?.schema;
    if (schema === undefined) return status;
    const { success, error } = schemaOf(schema).safeParse(JSON.parse(answer.text));
    expect(success, `${method} ${address}: ${error?.message}\n${answer.text}`).toBe(true);
    return status;
  }

  it('has routes', () => {
    expect(routes.length).toBeGreaterThan(30);
  });

  const read = routes.filter(({ method, path }) => method === 'get' && !/events$|metrics$/.test(path));
  it.each(read)('$name', async ({ path, route }) => {
    const named = path.replace('{name}', path.includes('bases') ? 'tiny' : path.includes('updates') ? 'first' : 'web');
    const whole = /explain|diff/.test(path) ? `${named}?path=/etc/app.conf` : named;
    const [job] = (await server.json<{ jobs: { id: string }[] }>('/jobs')).jobs;
    expect(await check(route, 'get', whole.replace('{id}', job!.id).replace('{machine}', machine))).toBe(200);
    await fc.assert(
      fc.asyncProperty(addressOf(path, route), async (address) => {
        expect(await check(route, 'get', address)).toBeLessThan(500);
      }),
      { numRuns: slow.test(path) ? 3 : 40 },
    );
  });

  const acting = routes.filter(({ method, path }) => method !== 'get' && path.startsWith('/api/v1'));
  it.each(acting)('$name, which nobody may', async ({ method, path, route }) => {
    const before = world.manifest();
    const fields = Object.entries(
      (route.requestBody?.content['application/json'].schema['properties'] ?? {}) as Record<string, Schema>,
    );
    // Dry runs and checks would be allowed, and take their time.
    const value = fc.oneof(text, fc.boolean(), fc.integer(), fc.array(text, { maxLength: 3 }), fc.constant(null));
    const body = fc
      .tuple(
        ...fields.map(([, schema]) => fc.option(schema.type === 'boolean' ? fc.boolean() : value, { nil: undefined })),
      )
      .map((given) => Object.fromEntries(fields.map(([name], at) => [name, given[at]])))
      .map((given) => ({
        ...given,
        ...('dryRun' in given && { dryRun: false }),
        ...('repair' in given && { repair: true }),
      }));
    await fc.assert(
      fc.asyncProperty(addressOf(path, route), body, async (address, given) => {
        const status = await check(route, method, address, method === 'post' ? given : undefined);
        expect([400, 403, 404, 409]).toContain(status);
      }),
      { numRuns: 25 },
    );
    expect(world.manifest()).toBe(before);
  });
});
