import { existsSync, readFileSync } from 'node:fs';
import { newId } from '../base/ids.js';
import { failed, isSystemError } from '../base/errors.js';
import { hasProgram } from '../platform/programs.js';
import { isRoot } from '../platform/privileges.js';

/*
 * systemd ends the processes of a service when it stops, and those that ExecStartPre= leaves before it starts; with
 * KillUserProcesses=yes also those of a session at its end. A driver must live as long as its mount: it gets a scope of
 * its own (systemd.scope(5), systemd.kill(5)).
 */

/** Where a driver is to run. */
export interface OwnScope {
  /** Of the user's own systemd, not of the machine's. */
  readonly ofUser: boolean;
  /** What must be stopped before the mount is, at shutdown. */
  readonly before: string | undefined;
}

/** What of the machine and of this process decides it. */
export interface ScopeFacts {
  /** Whether systemd runs the machine: sd_booted(3). */
  readonly isBooted: boolean;
  /** /proc/self/cgroup */
  readonly cgroup: string;
  readonly isRoot: boolean;
}

/**
 * The scope that a mount needs to outlive the unit in which it is made; undefined: the unit does not end it. A mount
 * unit is no reason: it is there for as long as the mount is.
 */
export function ownScopeFor({ isBooted, cgroup, isRoot: asRoot }: ScopeFacts): OwnScope | undefined {
  if (!isBooted) return undefined;
  const path = systemdPath(cgroup).split('/');
  const unit = path.findLast((name) => /\.(service|scope|mount|socket|slice)$/.test(name));
  if (unit === undefined || !(unit.endsWith('.service') || /^session-.*\.scope$/.test(unit))) return undefined;
  const inUserManager = path.some((name) => name !== unit && /^user@\d+\.service$/.test(name));
  const ofUser = inUserManager || !asRoot;
  return { ofUser, before: ofUser === inUserManager ? unit : undefined };
}

/** cgroups(7): the only line of version 2, or the one of the hierarchy that is systemd's own. */
function systemdPath(cgroup: string): string {
  const lines = cgroup.split('\n').map((line) => /^(\d+):([^:]*):(.*)$/.exec(line));
  const named = lines.find((line) => line?.[2] === 'name=systemd');
  return (named ?? lines.find((line) => line?.[1] === '0'))?.[3] ?? '/';
}

/** The words that run a command in a scope. */
export function scopeWords({ ofUser, before }: OwnScope, unit: string): string[] {
  const manager = ofUser ? ['--user'] : [];
  // A unit's name may hold backslashes (systemd-escape(1)), and the value is words as in systemd.syntax(7).
  const order = before === undefined ? [] : [`--property=Before=${before.replaceAll('\\', '\\\\')}`];
  return ['systemd-run', ...manager, '--scope', '--quiet', '--collect', `--unit=${unit}`, ...order, '--'];
}

/**
 * The words to put before a driver's command, so that it outlives the unit in which we run.
 * @throws LaminaError failed: systemd would end it, and systemd-run is missing
 */
export function wordsToOutlive(): string[] {
  const scope = ownScopeFor({ isBooted: existsSync('/run/systemd/system'), cgroup: ownCgroup(), isRoot: isRoot() });
  if (scope === undefined) return [];
  if (hasProgram('systemd-run')) return scopeWords(scope, `lamina-mount-${newId('m')}`);
  throw failed('systemd would end this mount with the unit that makes it, and systemd-run is missing', {
    code: 'NO_SCOPE',
    hint: 'install systemd-run, or mount it from a shell or by a mount unit',
  });
}

function ownCgroup(): string {
  try {
    return readFileSync('/proc/self/cgroup', 'latin1');
  } catch (error) {
    // A kernel without control groups.
    if (isSystemError(error, 'ENOENT')) return '';
    throw error;
  }
}
