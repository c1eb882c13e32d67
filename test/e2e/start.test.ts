import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, run } from '../support/lamina.js';

const dist = join(checkout, 'dist');
const isProgram = (name: string) => /^program-.*\.cjs$/.test(name);

/** The bundled program, and the code that V8 has compiled of it (scripts/code-cache.mjs). */
describe('the start of lamina', () => {
  let place: string;
  let program: string;

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-start-'));
    const names = readdirSync(dist).filter((name) => isProgram(name));
    expect(names).toHaveLength(1);
    program = join(place, names[0] ?? '');
    for (const name of ['lamina.js', 'chunks', ...names, ...names.map((each) => `${each}.cache`)])
      cpSync(join(dist, name), join(place, name), { recursive: true });
    writeFileSync(join(place, 'package.json'), '{ "type": "module" }');
  });
  afterEach(() => {
    rmSync(place, { recursive: true, force: true });
  });

  const accepted = () => {
    const cachedData = readFileSync(`${program}.cache`);
    return new Script(readFileSync(program, 'latin1'), { cachedData }).cachedDataRejected === false;
  };
  const help = async (...environment: string[]) => {
    const shown = await run('env', [...environment, process.execPath, join(place, 'lamina.js'), 'help', 'status']);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    return shown.stdout;
  };

  it('takes the compiled code, and goes without where there is none, or V8 refuses it', async () => {
    expect(accepted()).toBe(true);
    const expected = await help();
    expect(expected).toContain('lamina status');
    expect(await help('NODE_OPTIONS=--max-old-space-size=200')).toBe(expected);
    truncateSync(`${program}.cache`, 1000);
    expect(accepted()).toBe(false);
    expect(await help()).toBe(expected);
    writeFileSync(`${program}.cache`, 'no code');
    expect(await help()).toBe(expected);
    rmSync(`${program}.cache`);
    expect(await help()).toBe(expected);
  });

  it('never takes the code of another program', async () => {
    appendFileSync(program, '\n');
    expect(accepted()).toBe(false);
    expect(await help()).toContain('lamina status');
  });
});
