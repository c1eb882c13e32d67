import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { failed, isSystemError, messageOf, notFound } from '../base/errors.js';
import { callAfter } from '../base/time.js';
import { keepDescriptorsSync } from './native.js';
import { spawnable } from './words.js';

export interface ProcessRequest {
  /** Like `args` the text of bytes: a path is passed as `toText` returns it. */
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** The whole environment; by default this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** `closed` (/dev/null, the default), the terminal's own, or these bytes. */
  readonly stdin?: 'closed' | 'inherit' | Uint8Array;
  /** `inherit`: the child shares our output. Else its output goes to `onOutput` as it arrives. */
  readonly output?: 'inherit' | 'pipe';
  /** The child leads a session and process group of its own; by default it does where output is piped. */
  readonly ownGroup?: boolean;
  /** Open descriptors that the child gets as 3, 4, … */
  readonly descriptors?: readonly number[];
  /** Must not throw. */
  readonly onOutput?: (chunk: Buffer, stream: 'stdout' | 'stderr') => void;
  /** Called with the child's process id once it runs. Must not throw. */
  readonly onStart?: (pid: number) => void;
  /** Milliseconds after which the child's process group is ended. */
  readonly timeoutMs?: number;
  /** Ends the child's process group when aborted. */
  readonly signal?: AbortSignal;
  /** Milliseconds between SIGTERM and SIGKILL when it is ended; by default 5000. */
  readonly graceMs?: number;
}

export interface ProcessResult {
  /** As in a shell: the exit code, or 128 and the signal's number. */
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | null;
  /** Why it ended: by itself, or ended by us at the time-out or at the caller's signal. */
  readonly ended: 'by-itself' | 'timeout' | 'aborted';
}

/**
 * Runs a program to its end. With piped output the child leads a process group (and session) of its own, which is ended
 * as a whole; with inherited output it stays in ours, so that a terminal's job control works, unless `ownGroup`. It
 * gets no other descriptors than `descriptors`, whatever descriptors this process inherited.
 * @throws LaminaError `notFound` where there is no such program, `failed` where it cannot be started. Exit codes are
 * results.
 */
export async function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  request.signal?.throwIfAborted();
  const piped = request.output !== 'inherit';
  const ownGroup = request.ownGroup ?? piped;
  keepDescriptorsSync();
  const { command, args } = spawnable({ command: request.command, args: request.args ?? [] });
  const child = spawn(command, args, {
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    ...(request.env === undefined ? {} : { env: request.env }),
    stdio: stdioOf(request, piped),
    detached: ownGroup,
  });
  if (child.pid !== undefined) request.onStart?.(child.pid);
  child.stdout?.on('data', (chunk: Buffer) => request.onOutput?.(chunk, 'stdout'));
  child.stderr?.on('data', (chunk: Buffer) => request.onOutput?.(chunk, 'stderr'));
  const inputDone = feed(child, request.stdin);
  const ender = watchForEnd(child, request, ownGroup);
  try {
    const { code, signal } = await exitOf(child, request.command);
    await inputDone;
    return { exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), signal, ended: ender.reason() };
  } finally {
    ender.stop();
  }
}

function stdioOf(request: ProcessRequest, piped: boolean): StdioOptions {
  const stdin = request.stdin ?? 'closed';
  const input = stdin === 'closed' ? 'ignore' : stdin === 'inherit' ? 'inherit' : 'pipe';
  const output = piped ? 'pipe' : 'inherit';
  return [input, output, output, ...(request.descriptors ?? [])];
}

/** Writes the input; a child may end without reading it all (EPIPE). */
async function feed(child: ChildProcess, stdin: ProcessRequest['stdin']): Promise<void> {
  const { stdin: pipe } = child;
  if (pipe === null || !(stdin instanceof Uint8Array)) return;
  await new Promise<void>((resolve, reject) => {
    pipe.on('error', (error) => {
      if (isSystemError(error, 'EPIPE', 'ECONNRESET')) resolve();
      else reject(error);
    });
    pipe.on('close', resolve);
    pipe.end(stdin);
  });
}

/** How long to wait for output after the child has ended: another process may hold its pipe. */
const drainMs = 1000;

async function exitOf(
  child: ChildProcess,
  command: string,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(startError(command, error));
    });
    child.once('exit', (code, signal) => {
      const finish = () => {
        clearTimeout(timer);
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve({ code, signal });
      };
      const timer = setTimeout(finish, drainMs);
      child.once('close', finish);
    });
  });
}

function startError(command: string, error: Error): Error {
  const options = { cause: error, hint: 'install it, or correct the PATH' };
  if (isSystemError(error, 'ENOENT')) return notFound(`cannot run '${command}': no such program`, options);
  return failed(`cannot run '${command}': ${messageOf(error)}`, { cause: error });
}

interface Ender {
  reason(): ProcessResult['ended'];
  stop(): void;
}

/** Ends the child at the time-out or at the caller's signal: SIGTERM, then SIGKILL. */
function watchForEnd(child: ChildProcess, request: ProcessRequest, group: boolean): Ender {
  let reason: ProcessResult['ended'] = 'by-itself';
  const stopped = new AbortController();
  const end = async (why: ProcessResult['ended']) => {
    if (reason !== 'by-itself' || child.exitCode !== null || child.signalCode !== null) return;
    reason = why;
    kill(child, 'SIGTERM', group);
    try {
      await sleep(request.graceMs ?? 5000, undefined, { signal: stopped.signal });
    } catch (error) {
      if (stopped.signal.aborted) return;
      throw error;
    }
    kill(child, 'SIGKILL', group);
  };
  const { timeoutMs, signal } = request;
  const forget = timeoutMs === undefined ? undefined : callAfter(timeoutMs, () => void end('timeout'));
  const onAbort = () => void end('aborted');
  signal?.addEventListener('abort', onAbort);
  return {
    reason: () => reason,
    stop: () => {
      forget?.();
      signal?.removeEventListener('abort', onAbort);
      stopped.abort();
      // Processes that the child left in its group must not outlive a run that was ended.
      if (reason !== 'by-itself' && group) kill(child, 'SIGKILL', true);
    },
  };
}

function kill(child: ChildProcess, signal: NodeJS.Signals, group: boolean): void {
  if (child.pid === undefined) return;
  try {
    process.kill(group ? -child.pid : child.pid, signal);
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}

/**
 * Runs a program that is part of a larger step and gives its standard output.
 * @throws LaminaError `failed` with the last lines it wrote to standard error where its exit code is not 0.
 */
export async function outputOf(request: Omit<ProcessRequest, 'onOutput' | 'output'>): Promise<Buffer> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const onOutput = (chunk: Buffer, stream: 'stdout' | 'stderr') => {
    (stream === 'stdout' ? stdout : stderr).push(chunk);
  };
  const result = await runProcess({ ...request, onOutput });
  if (result.exitCode === 0 && result.ended === 'by-itself') return Buffer.concat(stdout);
  const how = result.ended === 'by-itself' ? `exit code ${result.exitCode}` : `ended by us: ${result.ended}`;
  const last = Buffer.concat(stderr).toString('utf8').trim().split('\n').slice(-5).join('\n');
  throw failed(`'${request.command}' failed (${how})${last === '' ? '' : `:\n${last}`}`, { code: 'PROGRAM_FAILED' });
}
