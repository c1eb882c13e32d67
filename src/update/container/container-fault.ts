import { LaminaError, isSystemError, toLaminaError } from '../../base/errors.js';
import { recordConflict } from '../../replay/index.js';

/** The errors of reading, comparing or writing one container's content that the content itself causes. */
const codesOfContent = new Set([
  'READ_FAILED',
  'WRITE_FAILED',
  'FILE_TYPE',
  'CONTENT_MISSING',
  'SOURCE_CHANGED',
  'INDEX_DAMAGED',
  'NODE_MISSING',
  'TREE_TOO_DEEP',
  'OVER_LIMIT',
  'NO_INTERPRETER',
]);

/** Errors of system calls about a name, a link or a value; others (ENOSPC, EMFILE) are about the machine. */
const errnosOfContent = [
  'ENAMETOOLONG',
  'ELOOP',
  'EINVAL',
  'EOVERFLOW',
  'ERANGE',
  'E2BIG',
  'EMLINK',
  'ENOTDIR',
  'EISDIR',
  'ENOENT',
  'EEXIST',
  'ENOTEMPTY',
  'EPERM',
  'EACCES',
  'ENODATA',
];

/**
 * Errors of a defective disk or file system: about the container whose content was read. Node has no names for some.
 */
const errnosOfDisk = ['EIO', 'EUCLEAN', 'Unknown system error -117', 'EBADMSG', 'ESTALE', 'Unknown system error -116'];
const reading = new Set(['lstat', 'stat', 'fstat', 'scandir', 'open', 'read', 'readlink', 'getxattr', 'listxattr']);

/**
 * The error of a container whose own content is the reason why it cannot be serviced: it stays on its old layer, and
 * must not keep the update from the others. Undefined: the machine, the store or the program is the reason, and the
 * update is discarded.
 */
export function containerFault(error: unknown): LaminaError | undefined {
  if (error instanceof LaminaError && !codesOfContent.has(error.code)) return undefined;
  const cause = systemCause(error);
  if (cause !== undefined && !isOfContent(cause, error)) return undefined;
  return error instanceof LaminaError || cause !== undefined ? toLaminaError(error) : undefined;
}

/** Whether an update that is an image and a container cannot be merged. */
export function isRecordConflict(error: unknown): error is LaminaError {
  return error instanceof LaminaError && error.code === recordConflict;
}

function isOfContent({ code = '', syscall = '' }: NodeJS.ErrnoException, error: unknown): boolean {
  const reads = error instanceof LaminaError ? error.code === 'READ_FAILED' : reading.has(syscall);
  return errnosOfContent.includes(code) || (reads && errnosOfDisk.includes(code));
}

/** The system call that failed, where one did. */
function systemCause(error: unknown): NodeJS.ErrnoException | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (isSystemError(at)) return at;
  return undefined;
}
