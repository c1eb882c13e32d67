/** The kind of an error, which sets the documented exit code of the command. */
export const exitCodes = { failed: 1, usage: 2, notFound: 3, refused: 4, damaged: 5 } as const;

export type ErrorKind = keyof typeof exitCodes;

export interface ErrorOptions {
  /** Stable name for programs, upper case with underscores ("STORE_MISSING"); by default that of the kind. */
  readonly code?: string;
  /** What to do next, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

const defaultCodes: Record<ErrorKind, string> = {
  failed: 'FAILED',
  usage: 'USAGE',
  notFound: 'NOT_FOUND',
  refused: 'REFUSED',
  damaged: 'DAMAGED',
};

/**
 * An error that is shown to the user unchanged: `message` says what was wrong with which name or path, `hint` what to
 * do.
 */
export class LaminaError extends Error {
  override readonly name = 'LaminaError';
  readonly kind: ErrorKind;
  readonly code: string;
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = options.code ?? defaultCodes[kind];
    this.exitCode = exitCodes[kind];
    this.hint = options.hint;
  }
}

/** Wrong usage: exit code 2. */
export function usage(message: string, options?: ErrorOptions): LaminaError {
  return new LaminaError('usage', message, options);
}

/** No such base, container, update, file …: exit code 3. */
export function notFound(message: string, options?: ErrorOptions): LaminaError {
  return new LaminaError('notFound', message, options);
}

/** Possible, but refused: in use, would lose data, conflicts, already exists: exit code 4. */
export function refused(message: string, options?: ErrorOptions): LaminaError {
  return new LaminaError('refused', message, options);
}

/** The store is damaged: exit code 5. */
export function damaged(message: string, options?: ErrorOptions): LaminaError {
  return new LaminaError('damaged', message, options);
}

/** Tried and failed, nothing changed: exit code 1. */
export function failed(message: string, options?: ErrorOptions): LaminaError {
  return new LaminaError('failed', message, options);
}

/** Errors of the system for which Node has no message, by its `errno`. */
const unnamed: Readonly<Record<number, string>> = {
  [-74]: 'EBADMSG: bad message',
  [-116]: 'ESTALE: stale file handle',
  [-117]: 'EUCLEAN: structure needs cleaning',
};

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const words = isSystemError(thrown) ? unnamed[thrown.errno ?? 0] : undefined;
  return words === undefined ? thrown.message : thrown.message.replace(/^(Unknown system error -\d+): \1/, words);
}

/** `thrown` itself where it is a LaminaError, else a `failed` one with its message and itself as cause. */
export function toLaminaError(thrown: unknown): LaminaError {
  return thrown instanceof LaminaError
    ? thrown
    : failed(messageOf(thrown), { ...accessHint(thrown), ...spaceHint(thrown), cause: thrown });
}

/** The code and hint for an error caused by a full disk or a quota; empty for any other. */
export function spaceHint(thrown: unknown): ErrorOptions {
  if (!isSystemError(thrown, 'ENOSPC', 'EDQUOT')) return {};
  return { code: 'NO_SPACE', hint: 'free some space on the file system of the store' };
}

/** The code and hint for an error caused by missing permission; empty for any other. */
export function accessHint(thrown: unknown): ErrorOptions {
  if (isSystemError(thrown, 'EACCES', 'EPERM')) {
    return {
      code: 'PERMISSION',
      hint: 'run it as the user that the store and the path belong to (root?), or choose another store with --store',
    };
  }
  if (!isSystemError(thrown, 'EROFS')) return {};
  return {
    code: 'READ_ONLY',
    hint: 'the file system is mounted read-only: remount it, or choose another store with --store',
  };
}

/** Whether `thrown` is an error of the operating system with this code (`isSystemError(e, 'ENOENT')`). */
export function isSystemError(thrown: unknown, ...codes: readonly string[]): thrown is NodeJS.ErrnoException {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('syscall' in thrown)) return false;
  return codes.length === 0 || codes.includes(String(thrown.code));
}

/** `value`, or a `failed` error that names what was missing: for a value that an invariant guarantees. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw failed(`internal error: ${what} is missing`, { code: 'INTERNAL' });
  return value;
}
