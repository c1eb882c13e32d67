import { printable } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { exitCodeOf, relayedSignals } from '../base/signals.js';

/*
 * Units of systemd that run a container: systemd.service(5), systemd.exec(5), podman-systemd.unit(5). Each mounts the
 * container, runs it, and unmounts it when it has ended, however it ends.
 */

export const unitRuntimes = ['run', 'podman', 'nspawn', 'runc', 'crun'] as const;
export type UnitRuntime = (typeof unitRuntimes)[number];

/** The program of each but Lamina's own. */
export const runtimePrograms: Readonly<Record<Exclude<UnitRuntime, 'run'>, string>> = {
  podman: 'podman',
  nspawn: 'systemd-nspawn',
  runc: 'runc',
  crun: 'crun',
};

export interface UnitRequest {
  readonly container: string;
  /** Of the store; an absolute path. */
  readonly store: string;
  /** The words that run this command. */
  readonly lamina: readonly string[];
  /** Absolute path of the runtime's program. */
  readonly program: string;
  /** What it runs: as asked, or for a runtime that does not know the image, what that says. None: it boots (nspawn). */
  readonly command: readonly string[];
  readonly user: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string | undefined;
  readonly network: boolean;
  readonly suid: boolean;
  /** What ends the command in order; undefined: SIGTERM. */
  readonly stopSignal: NodeJS.Signals | undefined;
}

/** The unit's name, without its ending. By it `update apply --restart` finds the unit of a container. */
export const unitName = (container: string): string => `lamina-${container}`;

/** The variable by which a unit says which store its container is in. */
export const storeVariable = 'LAMINA_STORE';

const directoryOf = ({ container }: UnitRequest) => `/run/${unitName(container)}`;
const rootOf = (request: UnitRequest) => `${directoryOf(request)}/root`;

/** A service that runs a container by a runtime. @throws LaminaError usage: the runtime cannot do what was asked */
export function serviceText(runtime: UnitRuntime, request: UnitRequest): string {
  const sections = [
    section('Unit', [
      ...unitLines(request),
      ...(runtime === 'run' ? [] : [`AssertFileIsExecutable=${oneLine(request.program).replaceAll('%', '%%')}`]),
    ]),
    section('Service', [...commonLines(request), ...services[runtime](request)]),
    section('Install', ['WantedBy=multi-user.target']),
  ];
  return sections.join('\n');
}

/** What podman's generator makes a service of. The keys are those of podman 4.4. */
export function quadletText(request: UnitRequest): string {
  const { command, user, environment, workingDirectory, network, suid, stopSignal } = request;
  const container = [
    `ContainerName=${unitName(request.container)}`,
    // Rootfs= is younger than podman 4.4; `podman run --rootfs` takes the directory where an image is named.
    `Image=${rootOf(request)}`,
    'PodmanArgs=--rootfs',
    ...(command.length === 0 ? [] : [`Exec=${words(command.map(quadletWord))}`]),
    ...(user === undefined ? [] : [`PodmanArgs=${words([`--user=${user}`])}`]),
    // The generator puts them into ExecStart= as they are: there `$` is of variables.
    ...variables(environment).map((each) => `Environment=${words([each])}`),
    ...(workingDirectory === undefined ? [] : [`PodmanArgs=${words([`--workdir=${workingDirectory}`])}`]),
    ...(stopSignal === undefined ? [] : [`PodmanArgs=--stop-signal=${stopSignal}`]),
    `Network=${network ? 'host' : 'none'}`,
    `NoNewPrivileges=${String(!suid)}`,
  ];
  const service = [
    ...commonLines(request),
    ...runtimeDirectories(request),
    mountLine(request),
    `ExecStopPost=-${words([request.program, 'rm', '--force', '--ignore', unitName(request.container)])}`,
    unmountLine(request, rootOf(request)),
  ];
  return [
    section('Unit', unitLines(request)),
    section('Container', container),
    section('Service', service),
    section('Install', ['WantedBy=multi-user.target']),
  ].join('\n');
}

const section = (name: string, lines: readonly string[]): string => `[${name}]\n${lines.join('\n')}\n`;

function unitLines({ container, store, network }: UnitRequest): string[] {
  return [
    `Description=Lamina container ${container}`,
    'Documentation=man:lamina-unit(1)',
    `RequiresMountsFor=${word(oneLine(store))}`,
    ...(network ? ['Wants=network-online.target', 'After=network-online.target'] : []),
  ];
}

const commonLines = ({ store }: UnitRequest): string[] => [
  `Environment=${word(`${storeVariable}=${store}`)}`,
  'KillMode=mixed',
  'Restart=on-failure',
];

const services: Readonly<Record<UnitRuntime, (request: UnitRequest) => string[]>> = {
  run: runLines,
  podman: podmanLines,
  nspawn: nspawnLines,
  runc: bundleLines,
  crun: bundleLines,
};

/** One that the runtime does not pass on would end nothing but the runtime. */
function stopLines({ stopSignal }: UnitRequest): string[] {
  const signal = relayedSignals.find((each) => each === stopSignal);
  return [...(signal === undefined ? [] : [`KillSignal=${signal}`]), endLine(signal)];
}

/** How a command ends that was stopped. */
const endLine = (signal: NodeJS.Signals | undefined) =>
  `SuccessExitStatus=${[...new Set(['SIGTERM', signal ?? 'SIGTERM'] as const)].map(exitCodeOf).join(' ')}`;

/** lamina run passes signals on, and unmounts the container itself. */
function runLines(request: UnitRequest): string[] {
  const { lamina, container, command } = request;
  const { network, suid } = request;
  const options = [...(network ? ['--network'] : []), ...(suid ? ['--no-new-privileges=false'] : [])];
  const line = [...lamina, 'run', ...options, ...processOptions(request), container, ...afterDashes(command)];
  return ['Type=exec', ...stopLines(request), `ExecStart=${words(line)}`];
}

function podmanLines(request: UnitRequest): string[] {
  const { program, container, command, network, suid, stopSignal } = request;
  const name = unitName(container);
  const run = [
    ...[program, 'run', `--name=${name}`, '--replace', '--rm', '--detach', '--sdnotify=conmon', '--cgroups=split'],
    `--network=${network ? 'host' : 'none'}`,
    ...(suid ? [] : ['--security-opt=no-new-privileges']),
    ...(stopSignal === undefined ? [] : [`--stop-signal=${stopSignal}`]),
    ...processOptions(request),
    ...['--rootfs', rootOf(request), ...command],
  ];
  return [
    ...['Type=notify', 'NotifyAccess=all', 'Delegate=yes', endLine(stopSignal)],
    ...runtimeDirectories(request),
    mountLine(request),
    `ExecStart=${words(run)}`,
    `ExecStop=${words([program, 'stop', '--ignore', '--time=10', name])}`,
    `ExecStopPost=-${words([program, 'rm', '--force', '--ignore', name])}`,
    unmountLine(request, rootOf(request)),
  ];
}

/** hostname(7), with underscores, which systemd takes as well. */
const hostName = /^\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)*$/;

function nspawnLines(request: UnitRequest): string[] {
  const { program, container, command, user, environment, workingDirectory, network, suid } = request;
  if (user !== undefined && /^\d|:/.test(user))
    throw usage(`systemd-nspawn cannot run as ${user}: it takes the name of a user`, {
      hint: 'give the name with --user, or take another runtime',
    });
  if (!hostName.test(container))
    throw usage(`systemd-nspawn cannot call its machine '${container}', which is not a host name`, {
      hint: 'take another runtime',
    });
  const run = [
    ...[program, '--quiet', '--keep-unit', '--settings=no', `--machine=${container}`, `--directory=${rootOf(request)}`],
    ...(network ? [] : ['--private-network']),
    ...(suid ? [] : ['--no-new-privileges=yes']),
    ...(user === undefined ? [] : [`--user=${user}`]),
    ...variables(environment).map((each) => `--setenv=${each}`),
    ...(workingDirectory === undefined ? [] : [`--chdir=${workingDirectory}`]),
    // SIGTERM to it would otherwise kill the command; the stub passes this on as SIGTERM (systemd-nspawn(1)).
    ...(command.length === 0 ? ['--boot'] : ['--kill-signal=SIGRTMIN+3', '--as-pid2', '--', ...command]),
  ];
  return [
    ...(command.length === 0 ? ['Type=notify'] : ['Type=exec']),
    ...['Delegate=yes', 'Slice=machine.slice', 'RestartForceExitStatus=133', 'SuccessExitStatus=133 143'],
    ...runtimeDirectories(request),
    mountLine(request),
    `ExecStart=${words(run)}`,
    unmountLine(request, rootOf(request)),
  ];
}

/** runc and crun pass signals on. */
function bundleLines(request: UnitRequest): string[] {
  const { program, lamina, container, command, network, suid } = request;
  const bundle = `${directoryOf(request)}/bundle`;
  const options = [...(network ? ['--network'] : []), ...(suid ? ['--suid'] : []), ...processOptions(request)];
  const make = [...lamina, 'bundle', ...options, container, bundle, ...afterDashes(command)];
  return [
    ...['Type=exec', 'Delegate=yes', ...stopLines(request)],
    ...[`RuntimeDirectory=${unitName(container)}`, 'RuntimeDirectoryMode=0700'],
    `ExecStartPre=${words(make)}`,
    `ExecStart=${words([program, 'run', '--bundle', bundle, unitName(container)])}`,
    `ExecStopPost=-${words([program, 'delete', '--force', unitName(container)])}`,
    unmountLine(request, `${bundle}/rootfs`),
  ];
}

/** Only root enters the upper one: the container's files are nobody else's business. */
const runtimeDirectories = ({ container }: UnitRequest): string[] => [
  `RuntimeDirectory=${unitName(container)} ${unitName(container)}/root`,
  'RuntimeDirectoryMode=0700',
];

const mountLine = (request: UnitRequest): string =>
  `ExecStartPre=${words([...request.lamina, 'mount', ...(request.suid ? ['--suid'] : []), request.container, rootOf(request)])}`;

/** By its place: a container that is mounted elsewhere, which is why the unit failed, stays mounted there. */
const unmountLine = ({ lamina }: UnitRequest, place: string): string =>
  `ExecStopPost=${words([...lamina, 'umount', place])}`;

/** The options of lamina run, lamina bundle and podman. */
const processOptions = ({ user, environment, workingDirectory }: UnitRequest): string[] => [
  ...(user === undefined ? [] : [`--user=${user}`]),
  ...variables(environment).map((each) => `--env=${each}`),
  ...(workingDirectory === undefined ? [] : [`--workdir=${workingDirectory}`]),
];

const variables = (environment: Readonly<Record<string, string>>): string[] =>
  Object.entries(environment).map(([name, value]) => `${name}=${value}`);

const afterDashes = (command: readonly string[]): string[] => (command.length === 0 ? [] : ['--', ...command]);

/** The words of a command: in them `$` is of variables, too. */
const words = (all: readonly string[]): string => all.map((each) => word(each).replaceAll('$', '$$$$')).join(' ');

const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

/** systemd.syntax(7), "Quoting", and systemd.unit(5), "Specifiers". @throws LaminaError usage: it cannot be written */
function word(text: string): string {
  const plain = text.replace(/[\n\t\r]/g, ' ');
  if (printable(plain) !== plain || /\p{Surrogate}/u.test(text))
    throw usage(`'${printable(text)}' cannot be written into a unit`, {
      hint: 'leave out control characters, and what is not UTF-8',
    });
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('%', '%%')
    .replace(/[\n\t\r]/g, (character) => escapes[character] ?? '');
  return /^[\w@%+=:,./-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** For keys whose values have no escape sequences. @throws LaminaError usage */
function oneLine(path: string): string {
  if (!/[\n\t\r]/.test(path)) return path;
  throw usage(`the path '${printable(path)}' cannot be written into a unit`, {
    hint: 'use a path without tabs and line breaks',
  });
}

/** podman's generator ends a command at an empty word, and writes `;` bare: with it systemd begins a new command. */
function quadletWord(text: string): string {
  if (text !== '' && text !== ';') return text;
  throw usage(`a Quadlet file cannot hold the word '${text}' of a command`, {
    hint: 'put the command into a script of the container, or take --runtime podman without --quadlet',
  });
}
