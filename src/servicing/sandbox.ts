import { constants } from 'node:os';
import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, failed } from '../base/errors.js';
import { distFile } from '../platform/install.js';
import { runProcess } from '../platform/process.js';
import type { ProcessResult } from '../platform/process.js';
import { SandboxSignals } from './isolation/signals.js';
import type { SignalSource } from './isolation/signals.js';
import { inMountOrder } from './isolation/places.js';
import type { MountName } from './isolation/places.js';
import type { SandboxPlan } from './isolation/plan.js';
import { NamelessFile, setupRecords } from './isolation/setup.js';
import { isForeground, takeForeground } from './isolation/terminal.js';
import { systemCallFilter } from './seccomp.js';

/** What a command in a sandbox may and gets. The environment has nothing else in it (docs/architecture.md, "The sandbox"). */
export interface SandboxRequest {
  /** The root it sees, in which there is all that the plan says is missing. */
  readonly root: BytePath;
  readonly plan: SandboxPlan;
  readonly command: readonly string[];
  readonly network: boolean;
  /** Shown over the root's own; by default what the root has is seen. */
  readonly resolver?: BytePath | undefined;
  readonly hostName?: string | undefined;
  /** More variables. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Host paths shown below /run/lamina, read-only: name there → path. */
  readonly shown?: ReadonlyMap<string, BytePath> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** With our own input and output, for people; the command gets the signals that come. Else input is closed and output goes to `onOutput`. */
  readonly interactive?: SignalSource | undefined;
  readonly onOutput?: ((chunk: Buffer) => void) | undefined;
}

/** Where `shown` paths appear, as a root with a plain /run has it. */
export const shownDirectory = (plan: SandboxPlan): string => `/${toText(plan.places.of.run)}/lamina`;

/** Of a procedure: its runs must be alike. */
export const procedureHostName = 'lamina';

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

/** How much of what is printed is kept for an error: bubblewrap's own words come first. */
const wordsKept = 4096;

/**
 * Runs a command isolated by bubblewrap: own mounts, processes, IPC, host name and, unless `network`, network; a minimal /dev, /proc, /run and /tmp as the root's own machine has them at
 * its start. All its processes end with it.
 * @throws LaminaError failed where bubblewrap is missing or the sandbox cannot be made
 */
export async function runInSandbox(request: SandboxRequest): Promise<ProcessResult> {
  const { interactive, plan, onOutput, timeoutMs, signal } = request;
  const foreground = interactive !== undefined && isForeground();
  const setup = setupRecords(plan, request.hostName ?? procedureHostName, foreground);
  const files = {
    filter: new NamelessFile(systemCallFilter({ tracing: interactive !== undefined })),
    setup: new NamelessFile(setup),
    status: new NamelessFile(),
    information: new NamelessFile(),
  };
  const signals = interactive && new SandboxSignals(interactive, files);
  let words = '';
  try {
    const result = await runProcess({
      command: 'bwrap',
      args: sandboxArguments(request),
      env: { PATH: process.env['PATH'] ?? environment.PATH },
      stdin: interactive ? 'inherit' : 'closed',
      output: interactive ? 'inherit' : 'pipe',
      // What a terminal sends to our group must not end bubblewrap; the command gets it from us.
      ownGroup: !foreground,
      descriptors: Object.values(files).map(({ descriptor }) => descriptor),
      graceMs: 2000,
      onOutput: (chunk) => {
        if (words.length < wordsKept) words += chunk.toString('utf8');
        onOutput?.(chunk);
      },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.ended === 'by-itself' && files.status.text() === '') throw notMade(words, result);
    return result;
  } catch (error) {
    if (!(error instanceof LaminaError) || error.kind !== 'notFound') throw error;
    throw failed('bubblewrap is missing, which isolates what runs in a root', {
      code: 'NO_SANDBOX',
      hint: 'install it (Debian: bubblewrap)',
      cause: error,
    });
  } finally {
    signals?.close();
    if (foreground) takeForeground();
    for (const file of Object.values(files)) file.close();
  }
}

function notMade(words: string, { exitCode }: ProcessResult): LaminaError {
  const said = words.trim() === '' ? `bubblewrap ended with ${exitCode}` : words.trim();
  return failed(`the sandbox could not be made: ${said}`, {
    code: 'NO_SANDBOX',
    hint: 'correct what it says and try again; docs/architecture.md, "The sandbox", lists what it needs',
  });
}

/**
 * Of the kernel and not of a namespace, and root may write there without any capability: what /proc/sys/kernel/core_pattern says is run by the host. bubblewrap covers these
 * only where it is not root itself. What it covers for root as well: irq, bus, sysrq-trigger.
 */
const kernelSettings = ['sys', 'fs', 'acpi', 'asound', 'scsi', 'driver'];

/** Descriptors, in the order in which they are handed over. */
const descriptor = { filter: '3', setup: '4', status: '5', information: '6' };

function sandboxArguments(request: SandboxRequest): string[] {
  const { plan, interactive, resolver } = request;
  const variables = {
    ...environment,
    TERM: interactive === undefined ? 'dumb' : (process.env['TERM'] ?? 'dumb'),
    ...request.environment,
  };
  const shown = shownDirectory(plan);
  return [
    ...['--bind', toText(request.root), '/'],
    ...inMountOrder(plan.places).flatMap(({ name, path }) => mountArguments(name, `/${toText(path)}`)),
    ...[...(request.shown ?? [])].flatMap(([name, path]) => ['--ro-bind', toText(path), `${shown}/${name}`]),
    ...['--ro-bind', distFile('lamina-init'), `${shown}/init`],
    ...(resolver === undefined ? [] : ['--ro-bind', '/etc/resolv.conf', `/${toText(resolver)}`]),
    ...(request.network ? [] : ['--unshare-net']),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', request.hostName ?? procedureHostName],
    ...['--die-with-parent', '--as-pid-1'],
    ...(process.getuid?.() === 0
      ? ['--cap-drop', 'ALL', ...capabilities.flatMap((name) => ['--cap-add', `CAP_${name}`])]
      : ['--unshare-user', '--uid', '0', '--gid', '0']),
    ...['--seccomp', descriptor.filter, '--info-fd', descriptor.information],
    '--clearenv',
    ...Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--chdir', '/', '--', `${shown}/init`, descriptor.setup, descriptor.status, ...request.command],
  ];
}

function mountArguments(name: MountName, path: string): string[] {
  if (name === 'dev') return ['--dev', path];
  if (name === 'tmp') return ['--perms', '1777', '--tmpfs', path];
  if (name === 'run') return ['--perms', '0755', '--tmpfs', path];
  const settings = kernelSettings.map((setting) => [`/proc/${setting}`, `${path}/${setting}`]);
  return ['--proc', path, ...settings.flatMap(([from = '', to = '']) => ['--ro-bind-try', from, to])];
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
