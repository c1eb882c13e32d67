import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { follow } from './root/follow.js';
import type { RootReader } from './root/reader.js';

/**
 * Refuses a script whose interpreter a root does not have: the sandbox could only report ENOENT.
 * @param interpreter as the script's first line names it; undefined: it names none
 * @param root read outside the procedure's mount: a lookup there that is not recorded would leave a dentry in the
 * kernel, and the procedure's own use of that name would then be missing from the read set
 * @param covered directories over which the sandbox mounts
 * @throws LaminaError failed
 */
export function checkInterpreter(
  interpreter: string | undefined,
  root: RootReader,
  covered: readonly BytePath[],
): void {
  if (interpreter === undefined) return;
  const resolved = follow(root, interpreter, covered);
  if (resolved.kind === 'found' || resolved.kind === 'covered') return;
  throw failed(`the procedure's interpreter ${display(interpreter)} is missing in the root where it runs`, {
    code: 'NO_INTERPRETER',
    hint: 'in the first line of the script name an interpreter that the base has, such as #!/bin/sh',
  });
}
