import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type * as z from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeProgram } from '../../../src/cli/program.js';
import { allCommands, fullName } from '../../../src/cli/usage.js';
import { actionWords } from '../../../src/http/routes/action-words.js';
import { actions } from '../../../src/http/routes/actions.js';
import type { Action } from '../../../src/http/routes/actions.js';
import { host, adminToken, servedWorld } from './served-world.js';
import type { ServedWorld } from './served-world.js';

const commands = new Map(
  allCommands(makeProgram('STORE')).map((each) => [fullName(each).replace(/^lamina /, ''), each]),
);

/** A value that the schema of a field takes, and that no default hides. */
function valueOf({ body }: Action, field: string): unknown {
  const values = [true, 2, '/x', 'keep', 'fuse', 'stateless', 'skip', 'stop', ['x']];
  const schema = (body?.shape as Readonly<Record<string, z.ZodType>> | undefined)?.[field];
  const fits = (value: unknown) => schema?.safeParse(value).success === true;
  return field === 'health' ? false : values.find(fits);
}

const fieldsOf = ({ body }: Action) => Object.keys(body?.shape ?? {});

describe('every action', () => {
  it.each(actions.map((action) => ({ ...action, title: `${action.method ?? 'POST'} ${action.path}` })))(
    '$title is a command that has its options',
    async (action) => {
      const command = commands.get(action.command);
      expect(command).toBeDefined();
      const body = Object.fromEntries(fieldsOf(action).map((field) => [field, valueOf(action, field)]));
      const words = await actionWords(action, action.of === undefined ? undefined : 'it', body);
      const options = words.slice(0, words.indexOf('--')).map((word) => word.replace(/=.*/s, ''));
      const { names = [] } = action;
      expect(options).toHaveLength(fieldsOf(action).length - names.length);
      for (const option of options)
        expect(
          command!.options.map(({ long }) => long),
          `${action.command} ${option}`,
        ).toContain(option);
      const most = command!.registeredArguments.some(({ variadic }) => variadic) ? Infinity : undefined;
      expect(words.length - words.indexOf('--') - 1).toBeLessThanOrEqual(most ?? command!.registeredArguments.length);
    },
  );

  it('keeps values at their options, names behind the options, and what is not given out', async () => {
    const apply = actions.find(({ path }) => path === '/updates')!;
    const body = {
      base: '--help',
      procedure: '/up',
      name: '-x',
      containers: ['a', '--b'],
      network: true,
      force: false,
    };
    expect(await actionWords(apply, undefined, { ...body, timeout: 1.5, health: true, maxSize: undefined })).toEqual([
      ...['--name=-x', '--container=a', '--container=--b', '--network', '--timeout=1.5'],
      ...['--', '--help', '/up'],
    ]);
    const remove = actions.find(({ command }) => command === 'remove')!;
    expect(await actionWords(remove, '--all', {})).toEqual(['--', '--all']);
  });

  it('takes a place on the server only where it is absolute, or an image', async () => {
    const of = (path: string) => actions.find((each) => each.path === path)!;
    const create = { name: 'c', base: 'b' };
    await actionWords(of('/bases'), undefined, { name: 'b', source: 'docker://debian:12' });
    await actionWords(of('/containers'), undefined, { ...create, from: 'podman:web' });
    for (const [path, body] of [
      ['/bases', { name: 'b', source: 'tiny.tar' }],
      ['/updates', { base: 'b', procedure: './up.sh' }],
      ['/containers', { ...create, from: 'docker://debian:12' }],
      ['/containers/:name/mount', { directory: 'mnt' }],
    ] as const)
      await expect(actionWords(of(path), undefined, body)).rejects.toThrow(/absolute path on the server/);
  });
});

describe('the body of an action', () => {
  let world: ServedWorld;
  beforeAll(async () => {
    world = await servedWorld();
  });
  afterAll(async () => world.remove());

  const post = async (url: string, payload: string) => {
    const headers = { host, authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    return world.app.inject({ method: 'POST', url: `/api/v1${url}`, headers, payload });
  };

  it('has no name that no argument of a program can be', async () => {
    for (const name of ['a\\u0000b', '\\ud800', 'x\\udfff', ''])
      for (const [url, body] of [
        ['/containers', `{"name":"${name}","base":"b"}`],
        ['/updates', `{"base":"b","procedure":"/p","containers":["${name}"]}`],
        ['/containers/c/mount', `{"directory":"/${name}${name === '' ? '\\u0000' : ''}"}`],
      ] as const)
        expect((await post(url, body)).statusCode, `${url} ${name}`).toBe(400);
    expect((await post('/containers/a%00b/umount', '{}')).statusCode).toBe(400);
    expect(world.served.jobs.list()).toEqual([]);
  });

  it('is no bomb: it may be deep, or have keys as long as it', async () => {
    const deep = 400_000;
    const bombs = [`{"dryRun":${'['.repeat(deep)}${']'.repeat(deep)}}`, `{"${'k'.repeat(900_000)}":1}`];
    bombs.push(`{"__proto__":{"dryRun":true}}`, `{"constructor":{"prototype":{"dryRun":true}}}`);
    bombs.push(`{${Array.from({ length: 50_000 }, (_, at) => `"k${at}":1`).join()}}`);
    for (const bomb of bombs) {
      const answer = await post('/gc', bomb);
      expect(answer.statusCode, bomb.slice(0, 40)).toBe(400);
      expect(answer.payload.length).toBeLessThan(2000);
    }
    expect(({} as Record<string, unknown>)['dryRun']).toBeUndefined();
  });

  it('leaves no job behind where the audit log cannot be written', async () => {
    const before = readdirSync(join(world.directory, 'jobs'));
    mkdirSync(join(world.directory, 'audit.ndjson'));
    expect((await post('/gc', '{"dryRun":true}')).statusCode).toBe(500);
    expect(readdirSync(join(world.directory, 'jobs'))).toEqual(before);
    expect(existsSync(join(world.directory, 'audit.ndjson'))).toBe(true);
  });
});
