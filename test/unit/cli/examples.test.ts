import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandPages } from '../../../src/cli/manual/page.js';
import { makeProgram } from '../../../src/cli/program.js';
import { runArguments } from '../../../src/cli/run-command.js';
import { allCommands } from '../../../src/cli/usage.js';
import { checkout } from '../../support/lamina.js';

/** The commands of lamina that the shell blocks of a document show. */
function shownIn(document: string): string[] {
  const blocks = [...readFileSync(join(checkout, document), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)];
  const lines = blocks.flatMap(([, block = '']) => block.split('\n'));
  return lines.filter((line) => line.startsWith('lamina '));
}

/** The words of a command, up to what is for the shell or is said of it. */
function wordsOf(line: string): string[] {
  const [command = ''] = line.split(/ {2,}|[|;>)]| \(/);
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '').slice(1);
}

/** Lets the program take a command line apart, without doing what it says. */
async function parse(words: readonly string[]): Promise<void> {
  const program = makeProgram('here');
  for (const command of allCommands(program)) if (command.commands.length === 0) command.action(() => undefined);
  const argv = ['node', 'lamina', ...words];
  await program.parseAsync(runArguments(program, argv) ?? argv);
}

describe('examples', () => {
  const inHelp = commandPages(makeProgram('here')).flatMap(({ examples }) => examples);
  // containerd's own command is shown where the snapshotter is.
  const lines = [...inHelp, ...shownIn('docs/how-to.md'), ...shownIn('docs/runtimes.md')]
    .filter((line) => !line.startsWith('ctr '))
    .map((line) => line.replace(/^source <\(|^.*\| (?=lamina )/, ''));

  it('are many', () => {
    expect(inHelp.length).toBeGreaterThan(40);
    expect(shownIn('docs/how-to.md').length).toBeGreaterThan(20);
  });

  it.each(lines)('%s is a command with options that it has', async (line) => {
    expect(line).toMatch(/^lamina /);
    await parse(wordsOf(line));
  });

  it('would be found where they are none', async () => {
    await expect(parse(['gc', '--bogus'])).rejects.toThrow(/unknown option/);
    await expect(parse(['no-such'])).rejects.toThrow(/unknown command/);
  });
});
