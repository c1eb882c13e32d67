import { closeSync, lstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, failed, isSystemError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { temporaryDirectory } from '../platform/command-line.js';
import { runProcess } from '../platform/process.js';
import type { ProcessResult } from '../platform/process.js';
import { systemCallFilter } from './seccomp.js';

/** What a command in a sandbox may and gets. The environment has nothing else in it (docs/architecture.md, "Sandbox"). */
export interface SandboxRequest {
  /** The root it sees. */
  readonly root: BytePath;
  readonly command: readonly string[];
  readonly network: boolean;
  /** More variables. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Host paths shown below /run/lamina, read-only: name there → path. */
  readonly shown?: ReadonlyMap<string, BytePath> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** With a terminal's own input and output, for people; else input is closed and output goes to `onOutput`. */
  readonly interactive?: boolean | undefined;
  readonly onOutput?: ((chunk: Buffer) => void) | undefined;
}

/** Where `shown` paths appear. */
export const shownDirectory = '/run/lamina';

/** What package managers and their scripts need of root's powers: no mounting, no modules, no raw devices, no tracing. */
const capabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'SETFCAP',
  'MKNOD',
  'SYS_CHROOT',
  'NET_BIND_SERVICE',
  'AUDIT_WRITE',
];

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  USER: 'root',
  LOGNAME: 'root',
};

/** Directories over which bubblewrap mounts something, and which it makes where the root lacks them. */
export const mountedOver = ['proc', 'dev', 'run', 'tmp'] as const;

/** Those of `mountedOver` that a root lacks: made by the sandbox, not by the command, so no change of the command's. */
export function missingDirectories(root: BytePath): BytePath[] {
  return mountedOver
    .filter((name) => {
      try {
        lstatSync(toBuffer(join(root, name)));
        return false;
      } catch (error) {
        if (isSystemError(error, 'ENOENT')) return true;
        throw error;
      }
    })
    .map((name) => name as string as BytePath);
}

/**
 * Runs a command isolated by bubblewrap: own mounts, processes, IPC, host name and, unless `network`, network; a minimal /dev, /proc, empty /run and /tmp. All its processes end
 * with it.
 * @throws LaminaError failed where bubblewrap is missing or cannot make the sandbox
 */
export async function runInSandbox(request: SandboxRequest): Promise<ProcessResult> {
  const interactive = request.interactive === true;
  const filter = openFilter(interactive);
  try {
    return await runProcess({
      command: 'bwrap',
      args: sandboxArguments(request),
      env: { PATH: process.env['PATH'] ?? environment.PATH },
      stdin: interactive ? 'inherit' : 'closed',
      output: interactive ? 'inherit' : 'pipe',
      descriptors: [filter],
      graceMs: 2000,
      ...(request.onOutput === undefined ? {} : { onOutput: request.onOutput }),
      ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
  } catch (error) {
    if (!(error instanceof LaminaError) || error.kind !== 'notFound') throw error;
    throw failed('bubblewrap is missing, which isolates what runs in a root', {
      code: 'NO_SANDBOX',
      hint: 'install it (Debian: bubblewrap)',
      cause: error,
    });
  } finally {
    closeSync(filter);
  }
}

/** The filter of system calls as a file without a name, to be read from its start. People may trace what they run. */
function openFilter(tracing: boolean): number {
  const program = systemCallFilter({ tracing });
  const path = toBuffer(join(temporaryDirectory(), `lamina-${newId('m')}.filter`));
  const descriptor = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  writeSync(descriptor, program, 0, program.length, 0);
  return descriptor;
}

/**
 * Of the kernel and not of a namespace, and root may write there without any capability: what /proc/sys/kernel/core_pattern says is run by the host. bubblewrap covers these
 * only where it is not root itself. What it covers for root as well: irq, bus, sysrq-trigger.
 */
const kernelSettings = ['sys', 'fs', 'acpi', 'asound', 'scsi', 'driver'].map((name) => `/proc/${name}`);

function sandboxArguments(request: SandboxRequest): string[] {
  const variables = {
    ...environment,
    TERM: request.interactive === true ? (process.env['TERM'] ?? 'dumb') : 'dumb',
    ...request.environment,
  };
  return [
    ...['--bind', toText(request.root), '/'],
    ...['--proc', '/proc', ...kernelSettings.flatMap((path) => ['--ro-bind-try', path, path])],
    ...['--dev', '/dev', '--tmpfs', '/run', '--tmpfs', '/tmp'],
    ...['--chmod', '1777', '/tmp'],
    ...[...(request.shown ?? [])].flatMap(([name, path]) => ['--ro-bind', toText(path), `${shownDirectory}/${name}`]),
    ...(request.network ? networkFiles() : ['--unshare-net']),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', 'lamina', '--die-with-parent'],
    ...(request.interactive === true ? [] : ['--new-session']),
    ...(process.getuid?.() === 0
      ? ['--cap-drop', 'ALL', ...capabilities.flatMap((name) => ['--cap-add', `CAP_${name}`])]
      : ['--unshare-user', '--uid', '0', '--gid', '0']),
    ...['--seccomp', '3'],
    '--clearenv',
    ...Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--chdir', '/', '--', ...request.command],
  ];
}

/** Name resolution is the host's while the network is. */
function networkFiles(): string[] {
  return ['--share-net', '--ro-bind-try', '/etc/resolv.conf', '/etc/resolv.conf'];
}

/** A person's words for how a command ended that was to end well; undefined where it did. */
export function failureOf(result: ProcessResult, timeoutMs: number | undefined): string | undefined {
  if (result.ended === 'timeout') return `it took longer than ${(timeoutMs ?? 0) / 1000} s`;
  if (result.ended === 'aborted') return 'it was interrupted';
  if (result.signal !== null) return `it was ended by ${result.signal}`;
  if (result.exitCode === 0) return undefined;
  const signal = Object.entries(constants.signals).find(([, number]) => number === result.exitCode - 128);
  return signal === undefined ? `its exit code is ${result.exitCode}` : `it was ended by ${signal[0]}`;
}
