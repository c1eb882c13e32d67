import { usage } from '../base/errors.js';

/** capabilities(7), in the order of their numbers. */
export const capabilities = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
  ...['MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF'],
  'CHECKPOINT_RESTORE',
] as const;

export type Capability = (typeof capabilities)[number];

/**
 * The capabilities that package managers and their scripts need: no mounting, no modules, no raw devices, no tracing.
 */
export const commonCapabilities: readonly Capability[] = [
  ...(['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'] as const),
  ...(['SETFCAP', 'MKNOD', 'SYS_CHROOT', 'NET_BIND_SERVICE', 'AUDIT_WRITE'] as const),
];

export const numberOf = (capability: Capability): number => capabilities.indexOf(capability);

/**
 * What `--cap-add` and `--cap-drop` name.
 * @throws LaminaError usage: there is no such capability
 */
export function parseCapabilities(option: string, given: readonly string[]): Capability[] {
  return given.flatMap((each) => {
    const name = each.toUpperCase().replace(/^CAP_/, '');
    if (name === 'ALL') return [...capabilities];
    const capability = capabilities.find((known) => known === name);
    if (capability === undefined)
      throw usage(`${option} ${each}: there is no capability of this name`, {
        hint: 'capabilities(7) lists them; for example NET_ADMIN, or all',
      });
    return [capability];
  });
}
