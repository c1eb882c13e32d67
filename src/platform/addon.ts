import { createRequire } from 'node:module';
import { display, fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { distFile } from './install.js';

/** A path argument of system calls: a byte path or its bytes. */
export type Path = BytePath | Buffer;
/** A path, or an open descriptor. */
export type Target = Path | number;

type Argument = Buffer | readonly Buffer[] | number | bigint;
/** A result, or the negative errno of what failed. */
type Reply = Buffer | number;

interface Addon {
  readonly sync: Readonly<Record<string, (...args: Argument[]) => Reply>>;
  readonly async: Readonly<Record<string, (...args: Argument[]) => Promise<Reply>>>;
  describe(errno: number): [name: string, text: string];
}

let loaded: Addon | undefined;

function addon(): Addon {
  loaded ??= createRequire(import.meta.url)(distFile('addon.node')) as Addon;
  return loaded;
}

/** What a call is about, for its error. */
interface Subject {
  readonly syscall: string;
  /** A name within the target: of an attribute. */
  readonly name?: string;
  readonly path?: Target;
  readonly dest?: Path;
}

/** A system call failed. As Node's own errors: `code` ("ENOENT"), `errno` (negative), `syscall`, `path`, `dest`. */
export class SystemError extends Error implements NodeJS.ErrnoException {
  override readonly name = 'SystemError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;

  constructor(errno: number, subject: Subject) {
    const [code, text] = addon().describe(errno);
    const path = subject.path === undefined ? undefined : shown(subject.path);
    const dest = subject.dest === undefined ? undefined : shown(subject.dest);
    const what = [
      subject.syscall,
      subject.name === undefined ? '' : ` '${display(subject.name)}'`,
      path === undefined ? '' : ` on ${path}`,
      dest === undefined ? '' : ` to ${dest}`,
    ].join('');
    super(`${what}: ${text} (${code})`);
    this.code = code;
    this.errno = -errno;
    this.syscall = subject.syscall;
    if (path !== undefined) this.path = path;
    if (dest !== undefined) this.dest = dest;
  }
}

function shown(target: Target): string {
  if (typeof target === 'number') return `descriptor ${target}`;
  return `'${display(typeof target === 'string' ? target : fromBuffer(target))}'`;
}

/** The addon's argument for a path, or a descriptor. */
export function bytesOf(path: Path | string): Buffer;
export function bytesOf(target: Target): Buffer | number;
export function bytesOf(target: Target | string): Buffer | number {
  return typeof target === 'string' ? toBuffer(target as BytePath) : target;
}

function checked(reply: Reply, subject: Subject): Reply {
  if (typeof reply === 'number' && reply < 0) throw new SystemError(-reply, subject);
  return reply;
}

/** A call with its subject and arguments, to be made now or on libuv's pool. */
export interface Call {
  readonly operation: string;
  readonly subject: Subject;
  readonly args: readonly Argument[];
}

function lookUp<T>(table: Readonly<Record<string, T>>, operation: string): T {
  const found = table[operation];
  if (found === undefined) throw new TypeError(`addon.node has no operation '${operation}': it is of another version`);
  return found;
}

export function callSync(call: Call): Reply {
  return checked(lookUp(addon().sync, call.operation)(...call.args), call.subject);
}

export async function callAsync(call: Call): Promise<Reply> {
  return checked(await lookUp(addon().async, call.operation)(...call.args), call.subject);
}
