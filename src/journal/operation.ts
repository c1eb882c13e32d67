import type { BytePath } from '../base/bytes.js';

/*
 * The changing operations that the driver records (docs/format-driver.md, "Journal"). native/filter/operation.h has the
 * same names; test/data/journal-format.ndjson holds both languages to them.
 */

const ofOnePath = [
  'create',
  'mkdir',
  'mknod',
  'unlink',
  'rmdir',
  'write',
  'truncate',
  'fallocate',
  'copy_file_range',
  'chmod',
  'chown',
  'utimes',
] as const;
const ofTwoPaths = ['link', 'rename', 'exchange'] as const;
const ofAttributes = ['setxattr', 'removexattr'] as const;

/** An operation as it was recorded. Paths are relative to the mount's root, as in trees. */
export type RecordedOperation =
  | Each<(typeof ofOnePath)[number], object>
  | Each<(typeof ofTwoPaths)[number], { readonly to: BytePath }>
  | Each<'symlink', { readonly target: BytePath }>
  /** `name` is the attribute's. */
  | Each<(typeof ofAttributes)[number], { readonly name: BytePath }>;

/** One member of the union for each name. */
type Each<Name extends string, More> = {
  readonly [N in Name]: { readonly operation: N; readonly path: BytePath } & More;
}[Name];

/** What a line of the journal has as `to`. */
export type SecondField = 'none' | 'path' | 'text';

/** Every operation, by its name in the journal, with the kind of its second field. */
export const operationFields: ReadonlyMap<string, SecondField> = new Map<RecordedOperation['operation'], SecondField>([
  ...ofOnePath.map((name) => [name, 'none'] as const),
  ...ofTwoPaths.map((name) => [name, 'path'] as const),
  ...ofAttributes.map((name) => [name, 'text'] as const),
  ['symlink', 'text'],
]);

/** @param second as `operationFields` says of `operation` */
export function makeOperation(
  operation: RecordedOperation['operation'],
  path: BytePath,
  second: BytePath,
): RecordedOperation {
  switch (operation) {
    case 'link':
    case 'rename':
    case 'exchange':
      return { operation, path, to: second };
    case 'symlink':
      return { operation, path, target: second };
    case 'setxattr':
    case 'removexattr':
      return { operation, path, name: second };
    default:
      return { operation, path };
  }
}

/** The paths that an operation acts on: a symlink's target is none. */
export function pathsOf(operation: RecordedOperation): readonly BytePath[] {
  return 'to' in operation ? [operation.path, operation.to] : [operation.path];
}
