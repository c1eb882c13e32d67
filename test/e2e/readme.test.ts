import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, isRoot, start } from '../support/lamina.js';

interface Step {
  readonly command: string;
  readonly prints: readonly string[];
}

/** What the README's console blocks show, in order: `$` begins a command, `>` goes on with it. */
function tour(): Step[] {
  const text = readFileSync(join(checkout, 'README.md'), 'utf8');
  const lines = [...text.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block.trimEnd().split('\n'),
  );
  const steps: { command: string; prints: string[] }[] = [];
  for (const line of lines) {
    const last = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), prints: [] });
    else if (last === undefined) throw new Error(`the README shows output before a command: ${line}`);
    else if (line.startsWith('> ') && last.prints.length === 0) last.command += `\n${line.slice(2)}`;
    else last.prints.push(line);
  }
  return steps;
}

/** What differs from run to run, made alike. */
function plain(line: string): string {
  return line
    .replace(/\b([bdse])-[0-9a-f]{16}\b/g, '$1-ID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z +\d+/g, 'TIME PID')
    .replace(/(app\.conf)\w{6}\b/g, '$1XXXXXX')
    .replace(/\(\d+ entries, [\d.]+ MB\)/g, '(BASE SIZE)')
    .replace(/ +/g, ' ')
    .trim();
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Lines as they must be printed; `…` stands for any number of them. */
function asPattern(lines: readonly string[]): RegExp {
  const escaped = lines.map((line) => (line === '…' ? '(?:.*\\n)*?' : `${escape(plain(line))}\\n`));
  return new RegExp(`^${escaped.join('')}$`);
}

describe.skipIf(!isRoot)("the README's tour", () => {
  let world: World;

  beforeAll(() => {
    world = new World('readme');
    buildTiny(world.path('tiny'));
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('prints what the README shows', async () => {
    const steps = tour();
    expect(steps.length).toBeGreaterThan(15);
    const lamina = `lamina() { '${process.execPath}' '${world.cli}' "$@"; }; cd '${world.directory}'`;
    for (const { command, prints } of steps) {
      const env = { ...process.env, LAMINA_STORE: world.store };
      const { code, stdout } = await start('bash', ['-c', `${lamina}; exec 2>&1\n${command}`], { env }).finished;
      const printed = Buffer.from(stdout, 'latin1')
        .toString('utf8')
        .replaceAll(world.store, '/var/lib/lamina')
        .replaceAll(`${world.directory}/`, './');
      const lines = printed.split('\n').map(plain).join('\n');
      expect({ command, code, printed: lines }).toEqual({
        command,
        code: 0,
        printed: expect.stringMatching(asPattern(prints)) as string,
      });
    }
  });
});
