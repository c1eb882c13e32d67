import { join } from 'node:path';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import { documents } from '../../../src/app/json/documents.js';
import { documentOf, publishedSchema } from '../../../src/app/json/schema.js';
import { makeProgram } from '../../../src/cli/program.js';
import { allCommands, fullName } from '../../../src/cli/usage.js';
import { checkout } from '../../support/lamina.js';

describe('what --json prints', () => {
  it('has its schema published: write it anew with npx vitest run -u, if this fails', async () => {
    const file = join(checkout, 'docs/json.schema.json');
    await expect(`${JSON.stringify(publishedSchema(), null, 2)}\n`).toMatchFileSnapshot(file);
  });

  it('has a schema for every command but run and unshare, which print what their command does', () => {
    const commands = allCommands(makeProgram()).filter((each) => each.commands.length === 0);
    const names = commands.map((each) => fullName(each).replace('lamina ', '')).filter((name) => !/help$/.test(name));
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => documents[name] === undefined)).toEqual(['run', 'unshare']);
  });

  it('is taken by the published schema, and refused where a field is wrong', () => {
    const schema = z.fromJSONSchema(publishedSchema() as Parameters<typeof z.fromJSONSchema>[0]);
    const change = { path: '/etc/a', change: 'add', type: 'file', bytes: 1 };
    expect(schema.safeParse({ formatVersion: 2, changes: [change] }).success).toBe(true);
    expect(documentOf('diff').safeParse({ formatVersion: 2, changes: [change] }).success).toBe(true);
    expect(documentOf('diff').safeParse({ formatVersion: 2, changes: [{ ...change, path: 'etc/a' }] }).success).toBe(
      false,
    );
    expect(documentOf('diff').safeParse({ formatVersion: 2, changes: [], more: 1 }).success).toBe(false);
    expect(documentOf('diff').safeParse({ changes: [] }).success).toBe(false);
  });
});
