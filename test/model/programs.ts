import fc from 'fast-check';
import type { Machine } from './machine.js';

/**
 * A statement of a procedure. `each` appends to what is in a directory, `find` to all files below it. All but `if`,
 * `each` and `find` are commands that may fail unnoticed, as with `|| true` behind them.
 */
export type Statement =
  | { readonly kind: 'write' | 'append'; readonly path: string; readonly text: string }
  | { readonly kind: 'copy' | 'move' | 'link'; readonly from: string; readonly to: string }
  | { readonly kind: 'symlink'; readonly target: string; readonly path: string }
  | { readonly kind: 'mkdir' | 'remove' | 'removeAll'; readonly path: string }
  | { readonly kind: 'touch'; readonly path: string; readonly like: string | null }
  | { readonly kind: 'chmod'; readonly path: string; readonly mode: number }
  | { readonly kind: 'attribute'; readonly path: string; readonly text: string }
  | { readonly kind: 'if'; readonly test: Test; readonly then: Program; readonly otherwise: Program }
  | { readonly kind: 'each' | 'find'; readonly directory: string; readonly text: string };
export type Program = readonly Statement[];

type Test =
  | { readonly kind: 'exists' | 'directory' | 'odd' | 'linked' | 'private'; readonly path: string }
  | { readonly kind: 'newer'; readonly path: string; readonly than: string }
  | { readonly kind: 'contains'; readonly path: string; readonly text: string };

function holds(machine: Machine, test: Test): boolean {
  switch (test.kind) {
    case 'exists':
      return machine.stat(test.path) !== undefined;
    case 'directory':
      return machine.stat(test.path)?.type === 'directory';
    case 'private':
      return machine.stat(test.path)?.mode === 0o600;
    case 'odd':
      return (machine.list(test.path)?.length ?? 0) % 2 === 1;
    case 'linked':
      return machine.links(test.path) > 1;
    case 'newer':
      return machine.isNewer(test.path, test.than);
    case 'contains':
      return machine.stat(test.path)?.content.includes(test.text) === true;
  }
}

export function run(machine: Machine, program: Program): void {
  for (const statement of program) step(machine, statement);
}

function step(machine: Machine, statement: Statement): void {
  switch (statement.kind) {
    case 'write':
    case 'append':
      machine.write(statement.path, statement.text, statement.kind === 'append');
      break;
    case 'copy': {
      const from = machine.stat(statement.from);
      if (from?.type === 'file') machine.write(statement.to, from.content, false);
      break;
    }
    case 'move':
      machine.rename(statement.from, statement.to);
      break;
    case 'link':
      machine.link(statement.from, statement.to);
      break;
    case 'symlink':
      machine.symlink(statement.target, statement.path);
      break;
    case 'mkdir':
      machine.makeDirectory(statement.path);
      break;
    case 'remove':
      machine.remove(statement.path);
      break;
    case 'removeAll':
      machine.removeAll(statement.path);
      break;
    case 'touch':
      machine.touch(statement.path, statement.like ?? undefined);
      break;
    case 'chmod':
      machine.change(statement.path, { mode: statement.mode });
      break;
    case 'attribute':
      machine.change(statement.path, { attribute: statement.text });
      break;
    case 'if':
      run(machine, holds(machine, statement.test) ? statement.then : statement.otherwise);
      break;
    case 'each':
      for (const name of machine.list(statement.directory) ?? [])
        machine.write(`${statement.directory}/${name}`, statement.text, true);
      break;
    case 'find':
      for (const path of filesBelow(machine, statement.directory)) machine.write(path, statement.text, true);
  }
}

/** As find(1) has it: directories are entered, symlinks are not. */
function filesBelow(machine: Machine, path: string): string[] {
  const found = machine.walk(path, false)?.inode;
  if (found?.type === 'file') return [path];
  if (found?.type !== 'directory') return [];
  return (machine.list(path) ?? []).flatMap((name) => filesBelow(machine, `${path}/${name}`));
}

const names = ['a', 'b', 'c', 'd'];
const name = fc.constantFrom(...names);

/** Paths of one to three of few names. A container's own part begins with `own`, so that it often overlaps nothing. */
const pathIn = (first: fc.Arbitrary<string>) =>
  fc.tuple(first, fc.array(name, { maxLength: 2 })).map(([head, rest]) => [head, ...rest].join('/'));

export function programs(first: readonly string[], length: number): fc.Arbitrary<Program> {
  const path = pathIn(fc.constantFrom(...first));
  const text = fc.constantFrom('x', 'y', 'z');
  const target = fc.oneof(
    path,
    path.map((at) => `/${at}`),
    path.map((at) => `../${at}`),
  );
  const command: fc.Arbitrary<Statement> = fc.oneof(
    fc.record({ kind: fc.constantFrom('write' as const, 'append' as const), path, text }),
    fc.record({ kind: fc.constantFrom('copy' as const, 'move' as const, 'link' as const), from: path, to: path }),
    fc.record({ kind: fc.constant('symlink' as const), target, path }),
    fc.record({ kind: fc.constantFrom('mkdir' as const, 'remove' as const, 'removeAll' as const), path }),
    fc.record({ kind: fc.constant('touch' as const), path, like: fc.option(path) }),
    fc.record({ kind: fc.constant('chmod' as const), path, mode: fc.constantFrom(0o600, 0o644, 0o755) }),
    fc.record({ kind: fc.constant('attribute' as const), path, text }),
    fc.record({ kind: fc.constantFrom('each' as const, 'find' as const), directory: path, text }),
  );
  const test: fc.Arbitrary<Test> = fc.oneof(
    fc.record({
      kind: fc.constantFrom(
        'exists' as const,
        'directory' as const,
        'odd' as const,
        'linked' as const,
        'private' as const,
      ),
      path,
    }),
    fc.record({ kind: fc.constant('newer' as const), path, than: path }),
    fc.record({ kind: fc.constant('contains' as const), path, text }),
  );
  const commands = fc.array(command, { maxLength: 3 });
  const branch: fc.Arbitrary<Statement> = fc.record({
    kind: fc.constant('if' as const),
    test,
    then: commands,
    otherwise: commands,
  });
  return fc.array(fc.oneof({ weight: 3, arbitrary: command }, { weight: 1, arbitrary: branch }), {
    minLength: 1,
    maxLength: length,
  });
}
