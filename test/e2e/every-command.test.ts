import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeProgram } from '../../src/cli/program.js';
import { allCommands, fullName } from '../../src/cli/usage.js';
import { mapLimit } from '../../src/base/concurrency.js';
import { World, differences, isRoot, mayMount, mountPoints } from '../support/lamina.js';
import { closedCommands } from './closed-commands.js';
import type { Closed, ClosedWorld } from '../support/closed.js';
import { inProcess } from '../support/in-process.js';
import type { Said } from '../support/in-process.js';

/** Every command that the program has, so that a new one is tried, too. */
const commands = allCommands(makeProgram()).filter(({ commands: below }) => below.length === 0);
const wordsOf = (command: Command) => fullName(command).split(' ').slice(1);
const nobody = 'nobody';
/** Commands that say first, and whatever is typed, that they need root. */
const ofRoot = isRoot ? [] : ['bundle', 'snapshotter'];

/** Something typed that is wrong, and the exit code that says so. */
interface Wrong {
  readonly args: readonly string[];
  readonly code: number;
  readonly says: RegExp;
}

const takesValue = ({ required, optional }: Option) => required || optional;
const mandatory = (command: Command) =>
  command.options.flatMap((option) => (option.mandatory && takesValue(option) ? [option.long!, nobody] : []));
const required = (command: Command) => command.registeredArguments.filter((each) => each.required);

/** What can be typed wrongly of a command, by what it says of itself. The first two are tried in more ways. */
function wrongOf(command: Command): Wrong[] {
  const words = wordsOf(command);
  const isHelp = words.at(-1) === 'help';
  const failed = words[0] === 'run' ? 125 : 2;
  const more = mandatory(command);
  const filled = required(command).map(() => nobody);
  const most = command.registeredArguments.map(() => nobody);
  const isVariadic = command.registeredArguments.some(({ variadic }) => variadic);
  const typed = (code: number, says: RegExp, ...args: readonly string[]): Wrong => ({
    args: [...words, ...args],
    code,
    says,
  });
  const wrong = [typed(failed, /unknown option '--bogus'/, ...more, '--bogus')];
  const names = isHelp ? [nobody] : most;
  const name = words.join(' ');
  const isUsage =
    isHelp ||
    ['unshare', 'completion', 'export', 'follow', 'channel init', 'channel rotate-key', ...ofRoot].includes(name);
  const unknown = words[0] === 'run' ? 125 : isUsage ? 2 : 3;
  // `unshare` is for stores of another kind, and a new channel has no name to be wrong, but needs a passphrase.
  const says = ofRoot.includes(name)
    ? /root of the machine/
    : ({ unshare: /no user namespace/, 'channel init': /not a terminal/ }[name] ?? /nobody/);
  if (names.length > 0) wrong.push(typed(unknown, says, ...more, ...names));
  if (filled.length > 0) wrong.push(typed(failed, /missing required argument/, ...more));
  if (more.length > 0) wrong.push(typed(failed, /required option/, ...filled));
  if (!isVariadic) wrong.push(typed(failed, /too many arguments/, ...more, ...most, 'more'));
  const [valued] = command.options.filter(takesValue);
  if (valued !== undefined) wrong.push(typed(failed, /argument missing/, ...filled, valued.long!));
  for (const { long, argChoices } of command.options)
    if (argChoices !== undefined) wrong.push(typed(failed, /Allowed choices are/, long!, nobody, ...filled));
  return wrong;
}

describe.skipIf(!mayMount)('every command', { timeout: 60_000 }, () => {
  let world: ClosedWorld;
  let before: ReturnType<World['storeContent']>;

  beforeAll(async () => {
    const made = new World('every');
    await made.initWithTiny();
    for (const name of ['web', 'db']) await made.run('create', name, '--base', 'tiny');
    world = Object.assign(made, { points: made.makeDirectory('points') });
    before = world.storeContent();
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const wrong = commands.map(wrongOf);
  /** What a process adds is the same for all commands: some show it. */
  const some = wrong.filter((_, i) => i % 4 === 0);
  const sideBySide = 4;

  /** What is not right in how a command said with --json what is wrong. */
  function faultsOf({ args, code, says }: Wrong, done: Said): object[] {
    const { error } = documentIn(done.stdout);
    // Of `run` that --json does nothing comes before a name that is not there.
    const right =
      says.test(error?.message ?? '') ||
      (['run', 'unshare'].includes(args[0] ?? '') && /--json/.test(error?.message ?? ''));
    const isWhole = typeof error?.hint === 'string' && isTold(done.stderr);
    return right && isWhole && done.code === code ? [] : [{ expected: code, args, ...done }];
  }

  it('is tried', () => {
    expect(commands.length).toBeGreaterThan(30);
    expect(wrong.flat().length).toBeGreaterThan(100);
  });

  it('says what was typed wrongly and what to do, with --json in one document', async () => {
    const told: object[] = [];
    // A process for each would take longer than all else.
    for (const each of wrong.flat())
      told.push(...faultsOf(each, await inProcess('--store', world.store, '--json', ...each.args)));
    expect(told).toEqual([]);
    expect([...differences(before, world.storeContent())]).toEqual([]);
  });

  it('does so as a process, too', async () => {
    const told = await mapLimit(some, sideBySide, async ([each]) =>
      faultsOf(each!, await world.start(['--json', ...each!.args]).finished),
    );
    expect(told.flat()).toEqual([]);
  });

  it('says so without --json on standard error alone', async () => {
    const told = await mapLimit(some, sideBySide, async (each) => {
      const { args, code, says } = each.at(-1)!;
      const done = await world.start(args).finished;
      const right = done.code === code && says.test(done.stderr) && isTold(done.stderr) && done.stdout === '';
      return right ? [] : [{ expected: code, args, ...done }];
    });
    expect(told.flat()).toEqual([]);
  });

  it('ends with the same code without a reader', async () => {
    const told = await mapLimit(some, sideBySide, async (each, i) => {
      const { args, code } = each[1] ?? each[0]!;
      const ended = await closed(i % 2 === 0 ? args : ['--json', ...args], 'both');
      return ended.code === code ? [] : [{ expected: code, args, ...ended }];
    });
    expect(told.flat()).toEqual([]);
    expect([...differences(before, world.storeContent())]).toEqual([]);
  });

  it('finds no store where there is none', async () => {
    const missing = world.path('missing');
    const told: object[] = [];
    for (const command of commands) {
      const words = wordsOf(command);
      if (words.at(-1) === 'help' || closedCommands[words.join(' ')]?.withoutStore === true) continue;
      const filled = required(command).map(() => 'tiny');
      const done = await inProcess('--store', missing, ...words, ...mandatory(command), ...filled);
      const codes = ofRoot.includes(words.join(' ')) ? [2, 4] : [2, 3, 125];
      if (!codes.includes(done.code ?? 0) || !isTold(done.stderr)) told.push({ words, ...done });
    }
    expect(told).toEqual([]);
    expect(existsSync(missing)).toBe(false);
  });

  it('is run into a closed pipe below', () => {
    const names = commands.map((each) => wordsOf(each).join(' ')).filter((name) => !name.endsWith('help'));
    expect(Object.keys(closedCommands).sort()).toEqual(names.sort());
  });

  it.each(Object.entries(closedCommands))(
    '%s ends quietly without a reader, and its exit code is right',
    async (_, command: Closed) => {
      await command.prepare?.(world);
      const transactions = join(world.store, 'transactions');
      const manifest = world.manifest();
      const ended = await closed(await command.args(world), 'stdout');
      expect({ code: ended.code, stderr: ended.stderr.replace(/^--- .*\n/gm, '') }).toEqual({
        code: command.code ?? 0,
        stderr: command.says === undefined ? '' : (expect.stringMatching(command.says) as string),
      });
      if (command.done === undefined) expect(world.manifest()).toBe(manifest);
      else expect(await command.done(world)).toBe(true);
      await command.after?.(world);
      expect(readdirSync(transactions)).toEqual([]);
      expect(mountPoints().filter((point) => point.startsWith(`${world.points}/`))).toEqual([]);
    },
  );

  /** Runs a command whose output goes into a pipe that nobody reads from. */
  async function closed(args: readonly string[], which: 'stdout' | 'both'): Promise<{ code: number; stderr: string }> {
    const child = spawn(process.execPath, [world.cli, ...args], {
      env: { ...process.env, LAMINA_STORE: world.store },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stdout.destroy();
    if (which === 'both') child.stderr.destroy();
    else child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code: code ?? -1, stderr };
  }
});

/** One line that says what is wrong, one that says what to do, and no trace of the program. */
function isTold(stderr: string): boolean {
  return /^lamina: .+\n {2}.+\n$/.test(stderr) && !/^\s+at |node:|\.ts:|\.js:/m.test(stderr);
}

function documentIn(text: string): { error?: { code: string; message: string; hint: string | null } } {
  try {
    return JSON.parse(text) as ReturnType<typeof documentIn>;
  } catch {
    return {};
  }
}
