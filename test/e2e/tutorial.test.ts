import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, mayMount, start } from '../support/lamina.js';

interface Step {
  readonly command: string;
  readonly prints: readonly string[];
}

/** What a document's console blocks show, in order: `$` begins a command, `>` goes on with it. */
function stepsOf(document: string): Step[] {
  const text = readFileSync(join(checkout, document), 'utf8');
  const lines = [...text.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block.trimEnd().split('\n'),
  );
  const steps: { command: string; prints: string[] }[] = [];
  for (const line of lines) {
    const last = steps.at(-1);
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), prints: [] });
    else if (last === undefined) throw new Error(`${document} shows output before a command: ${line}`);
    else if (line.startsWith('> ') && last.prints.length === 0) last.command += `\n${line.slice(2)}`;
    else last.prints.push(line);
  }
  return steps;
}

/** What differs from run to run, made alike. */
function plain(line: string): string {
  return (
    line
      .replace(/\b([bdse])-[0-9a-f]{16}\b/g, '$1-ID')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z +\d+/g, 'TIME PID')
      // Without root the driver knows root of the sandbox as the user that it is outside.
      .replace(new RegExp(`^TIME PID +${String(process.getuid?.())} `), 'TIME PID 0 ')
      .replace(/(app\.conf)\w{6}\b/g, '$1XXXXXX')
      .replace(/\(\d+ entries, [\d.]+ MB\)/g, '(BASE SIZE)')
      .replace(/ +/g, ' ')
      .trim()
  );
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Lines as they must be printed; `…` stands for any number of them. */
function asPattern(lines: readonly string[]): RegExp {
  const escaped = lines.map((line) => (line === '…' ? '(?:.*\\n)*?' : `${escape(plain(line))}\\n`));
  return new RegExp(`^${escaped.join('')}$`);
}

describe.skipIf(!mayMount).each([
  { document: 'README.md', fewest: 8 },
  { document: 'docs/tutorial.md', fewest: 16 },
])('$document', ({ document, fewest }) => {
  let world: World;

  beforeAll(() => {
    world = new World('tutorial');
    buildTiny(world.path('tiny'));
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('shows what its commands print', async () => {
    const steps = stepsOf(document);
    expect(steps.length).toBeGreaterThanOrEqual(fewest);
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
