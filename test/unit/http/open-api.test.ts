import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkout } from '../../support/lamina.js';
import { servedWorld } from './served-world.js';
import type { ServedWorld } from './served-world.js';

describe('the description of the API', () => {
  let world: ServedWorld;
  beforeAll(async () => {
    world = await servedWorld({ tcp: false });
  });
  afterAll(async () => world.remove());

  it('is published: write it anew with npx vitest run test/unit/http/open-api.test.ts -u, if this fails', async () => {
    const answer = await world.app.inject({ url: '/api', headers: { host: 'localhost' } });
    expect(answer.statusCode).toBe(200);
    const text = `${JSON.stringify(answer.json(), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot(join(checkout, 'docs/openapi.json'));
  });

  it('says of every route what it does, and what it answers', async () => {
    const { paths } = world.app.swagger() as unknown as {
      paths: Record<string, Record<string, { summary?: string; responses: Record<string, unknown> }>>;
    };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, route]) => ({ name: `${method} ${path}`, ...route })),
    );
    expect(routes.length).toBeGreaterThan(30);
    expect(routes.filter(({ summary }) => summary === undefined).map(({ name }) => name)).toEqual([]);
  });
});
