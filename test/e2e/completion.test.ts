import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, checkout, run } from '../support/lamina.js';

const manifest = '{"containers":{"web":{},"db-1":{},"db-2":{}},"bases":{"tiny":{}},"updates":{"u-1":{"name":"fix"}}}';
const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;

describe('completion by a shell on a terminal', () => {
  let world: World;
  /** A `lamina` that says what it was given, and asks the real one for completion. */
  let programs: string;

  beforeAll(async () => {
    world = new World('completion');
    mkdirSync(world.store);
    writeFileSync(join(world.store, 'manifest.json'), manifest);
    programs = world.makeDirectory('bin');
    const cli = `'${process.execPath}' '${world.cli}'`;
    const fake = `#!/bin/sh\n[ "$1" = __complete ] && exec ${cli} "$@"\nprintf 'GOT'; printf ' [%s]' "$@"; echo\n`;
    writeFileSync(join(programs, 'lamina'), fake, { mode: 0o755 });
    for (const shell of ['bash', 'zsh', 'fish'])
      writeFileSync(world.path(`script.${shell}`), await world.run('completion', shell));
    writeFileSync(world.path('package.tar'), '');
  });
  afterAll(() => {
    world.remove();
  });

  /** What `lamina` was given when a line with a tab in it was typed. */
  async function given(shell: string, line: string): Promise<string | undefined> {
    const starts: Record<string, [command: string, source: string]> = {
      bash: ['bash --norc --noprofile -i', `source ${world.path('script.bash')}`],
      zsh: ['zsh -f -i', `autoload -U compinit && compinit -D -u && source ${world.path('script.zsh')}`],
    };
    const [command = '', source = ''] = starts[shell] ?? [];
    const set = `cd '${world.directory}'; export PATH='${programs}':$PATH LAMINA_STORE='${world.store}' PS1='here> ' TERM=dumb HISTFILE=`;
    const steps = ['here> ', source, 'here> ', line, 'GOT', 'exit'];
    const { stdout } = await run('python3', [
      join(checkout, 'test/support/on-terminal.py'),
      `${set}; ${command}`,
      ...steps,
    ]);
    return /^GOT (.*?)\r?$/m.exec(stdout)?.[1];
  }

  it.each([
    ['lamina umo\twe\t', '[umount] [web]'],
    ['lamina update apply t\t./pack\t', '[update] [apply] [tiny] [./package.tar]'],
    ['lamina update apply tiny x --on-f\tsk\t', '[update] [apply] [tiny] [x] [--on-failure] [skip]'],
    ['lamina update apply tiny x --on-failure=sk\t', '[update] [apply] [tiny] [x] [--on-failure=skip]'],
    ['lamina rollback f\t', '[rollback] [fix]'],
    ['lamina run db\t', '[run] [db-]'],
    ['lamina run web ls pack\t', '[run] [web] [ls] [pack]'],
  ])('bash makes of %j: %s', async (line, words) => {
    expect(await given('bash', line)).toBe(words);
  });

  it.runIf(has('zsh'))('zsh completes, too', async () => {
    expect(await given('zsh', 'lamina umo\twe\t')).toBe('[umount] [web]');
  });

  it.runIf(has('fish'))('fish offers words with what is said of them, and files', async () => {
    const offered = async (line: string) => {
      const set = `cd '${world.directory}'; set -x PATH '${programs}' $PATH; set -x LAMINA_STORE '${world.store}'`;
      const ask = `${set}; source ${world.path('script.fish')}; complete -C '${line}'`;
      return (await run('fish', ['--no-config', '-c', ask])).stdout.trim().split('\n');
    };
    expect(await offered('lamina umou')).toEqual([
      'umount\tunmount a container, given by its name or by its directory',
    ]);
    expect(await offered('lamina umount we')).toEqual(['web\tcontainer']);
    expect(await offered('lamina update apply tiny ./pack')).toEqual(['./package.tar']);
  });
});
