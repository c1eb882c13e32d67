import { constants } from 'node:os';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { distFile } from '../platform/install.js';
import { runProcess } from '../platform/process.js';
import type { ProcessResult } from '../platform/process.js';
import { AnonymousFile } from './anonymous-file.js';
import type { Limits } from './limits.js';
import type { SandboxPlan } from './root/plan.js';
import { systemCallFilter } from './seccomp/filter.js';
import { setupRecords } from './setup.js';
import type { Privileges, SandboxSetup, SandboxUsers } from './setup.js';
import { SandboxSignals } from './signals.js';
import type { SignalSource } from './signals.js';
import { isForeground } from './terminal.js';

/**
 * The privileges and resources of a command in a sandbox. The environment has nothing else in it (docs/sandbox.md).
 */
export interface SandboxRequest {
  /** The root it sees, into which everything that the plan lists as missing was written. */
  readonly root: BytePath;
  readonly plan: SandboxPlan;
  readonly command: readonly string[];
  readonly network: boolean;
  /** A file over which the host's is shown; by default the root's own is visible. */
  readonly resolver?: BytePath | undefined;
  readonly hostName?: string | undefined;
  /** More variables. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** In the root, absolute; by default the root. */
  readonly workingDirectory?: string | undefined;
  /** Host paths shown below /run/lamina, read-only: name there → path. */
  readonly shown?: ReadonlyMap<string, BytePath> | undefined;
  readonly limits?: Limits | undefined;
  readonly privileges?: Privileges | undefined;
  /** By default the host's: what a procedure writes needs all privileges of a machine's root over files. */
  readonly users?: SandboxUsers | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Uses this process's own input and output; the command gets the signals that arrive. Else input is closed and output
   * goes to `onOutput`.
   */
  readonly interactive?: SignalSource | undefined;
  readonly onOutput?: ((chunk: Buffer) => void) | undefined;
}

/** Of a procedure: its runs must be alike. */
export const procedureHostName = 'lamina';

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  USER: 'root',
  LOGNAME: 'root',
};

/** How much output is kept for an error: the messages of lamina-sandbox come first. */
const outputKept = 4096;

/**
 * Runs a command isolated by lamina-sandbox: own mounts, processes, IPC, host name and, unless `network`, network; a
 * minimal /dev, /proc, /run and /tmp as on the root's own machine at boot. All its processes end with it.
 * @throws LaminaError failed where the sandbox cannot be made
 */
export async function runInSandbox(request: SandboxRequest): Promise<ProcessResult> {
  const { interactive, onOutput, timeoutMs, signal, privileges } = request;
  const isTerminal = interactive !== undefined && isForeground();
  const files = {
    filter: new AnonymousFile(systemCallFilter({ tracing: interactive !== undefined, added: privileges?.add ?? [] })),
    setup: new AnonymousFile(setupRecords(setupOf(request, isTerminal))),
    status: new AnonymousFile(),
    information: new AnonymousFile(),
  };
  const signals = interactive && new SandboxSignals(interactive, files);
  let output = '';
  try {
    const result = await runProcess({
      command: distFile('lamina-sandbox'),
      args: [...descriptors, ...request.command],
      env: {},
      stdin: interactive ? 'inherit' : 'closed',
      output: interactive ? 'inherit' : 'pipe',
      // With inherited input it stays in our process group, which receives the terminal's signals.
      ownGroup: !interactive,
      descriptors: Object.values(files).map(({ descriptor }) => descriptor),
      graceMs: 2000,
      onOutput: (chunk) => {
        if (output.length < outputKept) output += chunk.toString('utf8');
        onOutput?.(chunk);
      },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.ended === 'by-itself' && files.status.text() === '') throw notMade(output, result);
    return result;
  } finally {
    signals?.close();
    for (const file of Object.values(files)) file.close();
  }
}

function notMade(output: string, { exitCode }: ProcessResult): LaminaError {
  const said = output.replaceAll(/^lamina: /gm, '').trim();
  return failed(`the sandbox could not be made: ${said === '' ? `lamina-sandbox ended with ${exitCode}` : said}`, {
    code: 'NO_SANDBOX',
    hint: 'fix what the message reports and try again; docs/sandbox.md lists what a sandbox needs',
  });
}

/** Descriptors, in the order in which they are passed. */
const descriptors = ['3', '4', '5', '6'];

function setupOf(request: SandboxRequest, isTerminal: boolean): SandboxSetup {
  const { root, plan, network, resolver, interactive, privileges = {} } = request;
  const { user } = privileges;
  return {
    ...{ root, plan, network, resolver, privileges },
    hostName: request.hostName ?? procedureHostName,
    shown: request.shown ?? new Map<string, BytePath>(),
    environment: {
      ...environment,
      ...(user === undefined ? {} : { HOME: user.home, USER: user.name, LOGNAME: user.name }),
      TERM: interactive === undefined ? 'dumb' : (process.env['TERM'] ?? 'dumb'),
      ...request.environment,
    },
    workingDirectory: request.workingDirectory,
    limits: request.limits ?? {},
    users: request.users ?? 'host',
    input: interactive === undefined ? 'none' : isTerminal ? 'terminal' : 'given',
  };
}

/** A message about how a command failed; undefined: it succeeded. */
export function failureOf(result: ProcessResult, timeoutMs: number | undefined): string | undefined {
  if (result.ended === 'timeout') return `it took longer than ${(timeoutMs ?? 0) / 1000} s`;
  if (result.ended === 'aborted') return 'it was interrupted';
  if (result.signal !== null) return `it was ended by ${result.signal}`;
  if (result.exitCode === 0) return undefined;
  const signal = Object.entries(constants.signals).find(([, number]) => number === result.exitCode - 128);
  return signal === undefined ? `its exit code is ${result.exitCode}` : `it was ended by ${signal[0]}`;
}
