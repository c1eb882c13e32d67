import { failed } from '../base/errors.js';

/*
 * The filter of system calls that a sandbox runs under: a classic BPF program over `struct seccomp_data` (seccomp(2), Documentation/userspace-api/seccomp_filter.rst). It
 * takes away what no package manager needs and a kernel's faults are most often reached by. Calls are named, for each architecture, by the numbers of the kernel's
 * unistd headers; from 424 on they are the same everywhere.
 */

/** The new mount calls, and others that have one number everywhere. */
const common = {
  io_uring_setup: 425,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  pidfd_getfd: 438,
  process_madvise: 440,
  mount_setattr: 442,
  quotactl_fd: 443,
  open_tree_attr: 467,
};

/** Of these a debugger has need: refused to procedures, allowed to what a person runs in a container. */
const tracing = ['ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'pidfd_getfd', 'process_madvise'];

interface Architecture {
  /** AUDIT_ARCH_… of linux/audit.h */
  readonly audit: number;
  readonly denied: Readonly<Record<string, number>>;
  readonly clone: number;
  readonly unshare: number;
  readonly ioctl: number;
  readonly socket: number;
  /** Numbers from here on are another interface of the same architecture (x32). */
  readonly foreign?: number;
}

const clone3 = 435;

const x86: Architecture = {
  audit: 0xc000003e,
  clone: 56,
  unshare: 272,
  ioctl: 16,
  socket: 41,
  foreign: 0x40000000,
  denied: {
    ...common,
    ...{ ptrace: 101, pivot_root: 155, acct: 163, mount: 165, umount2: 166, swapon: 167, swapoff: 168, reboot: 169 },
    ...{ create_module: 174, init_module: 175, delete_module: 176, quotactl: 179, kexec_load: 246, add_key: 248 },
    ...{ request_key: 249, keyctl: 250, perf_event_open: 298, open_by_handle_at: 304, setns: 308 },
    ...{ process_vm_readv: 310, process_vm_writev: 311, kcmp: 312, finit_module: 313, kexec_file_load: 320 },
    ...{ bpf: 321, userfaultfd: 323, syslog: 103 },
  },
};

const i386: Architecture = {
  audit: 0x40000003,
  clone: 120,
  unshare: 310,
  ioctl: 54,
  socket: 359,
  denied: {
    ...common,
    ...{ mount: 21, umount: 22, ptrace: 26, acct: 51, umount2: 52, swapon: 87, reboot: 88, swapoff: 115 },
    ...{ create_module: 127, init_module: 128, delete_module: 129, quotactl: 131, pivot_root: 217, kexec_load: 283 },
    ...{ add_key: 286, request_key: 287, keyctl: 288, perf_event_open: 336, open_by_handle_at: 342, setns: 346 },
    ...{ process_vm_readv: 347, process_vm_writev: 348, kcmp: 349, finit_module: 350, bpf: 357, userfaultfd: 374 },
    ...{ syslog: 103 },
  },
};

const aarch64: Architecture = {
  audit: 0xc00000b7,
  clone: 220,
  unshare: 97,
  ioctl: 29,
  socket: 198,
  denied: {
    ...common,
    ...{ umount2: 39, mount: 40, pivot_root: 41, quotactl: 60, acct: 89, kexec_load: 104, init_module: 105 },
    ...{ delete_module: 106, ptrace: 117, reboot: 142, add_key: 217, request_key: 218, keyctl: 219, swapon: 224 },
    ...{ swapoff: 225, perf_event_open: 241, open_by_handle_at: 265, setns: 268, process_vm_readv: 270 },
    ...{ process_vm_writev: 271, kcmp: 272, finit_module: 273, bpf: 280, userfaultfd: 282, kexec_file_load: 294 },
    ...{ syslog: 116 },
  },
};

/** By Node's name of the processor: the architectures that its kernel runs programs of. */
const architectures: Readonly<Record<string, readonly Architecture[]>> = { x64: [x86, i386], arm64: [aarch64] };

// linux/bpf_common.h, linux/seccomp.h
const load = 0x20;
const jump = 0x05;
const jumpIfEqual = 0x15;
const jumpIfNotBelow = 0x35;
const jumpIfSet = 0x45;
const give = 0x06;
const allow = 0x7fff0000;
const refuseWith = (errno: number) => 0x00050000 | errno;
const EPERM = 1;
const ENOSYS = 38;
/** Offsets in struct seccomp_data; of the first argument the low half, on little-endian machines. */
const at = { number: 0, architecture: 4, firstArgument: 16, secondArgument: 24 };
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: clone(2) */
const newNamespaces = 0x7e020000;

/** asm-generic/ioctls.h: what puts words into the input of the terminal that a person runs a command from, and moves its console's text there. */
const terminalInput = [0x5412, 0x541c];
/** AF_VSOCK of linux/socket.h: it leads to the machine's host whatever network there is. (32-bit programs may still come by socketcall(2), whose arguments lie in memory.) */
const hostSockets = [40];

type Instruction = readonly [code: number, operand: number, ifTrue?: number, ifFalse?: number];

export interface FilterOptions {
  /** Whether processes may trace one another. */
  readonly tracing: boolean;
}

/**
 * The program as `bwrap --seccomp` reads it.
 * @param processor as process.arch has it
 * @throws LaminaError failed: the processor is not known here
 */
export function systemCallFilter(options: FilterOptions, processor: string = process.arch): Buffer {
  const known = architectures[processor];
  if (known === undefined) {
    throw failed(`no filter of system calls is known for this processor (${processor})`, {
      code: 'NO_FILTER',
      hint: 'use a machine with an x86-64 or 64-bit ARM processor',
    });
  }
  const program: Instruction[] = [[load, at.architecture]];
  for (const architecture of known) {
    const block = blockOf(architecture, options);
    program.push([jumpIfEqual, architecture.audit, 1, 0], [jump, block.length], ...block);
  }
  program.push([give, refuseWith(EPERM)]);
  return encode(program);
}

function blockOf(architecture: Architecture, options: FilterOptions): Instruction[] {
  const { denied, clone, unshare, ioctl, socket, foreign } = architecture;
  const refuse = (errno: number): Instruction => [give, refuseWith(errno)];
  const names = Object.keys(denied).filter((name) => !options.tracing || !tracing.includes(name));
  // New namespaces would give a process the powers that it lacks; of clone3, whose flags lie in memory, the C library then does without.
  const namespaces = (call: number): Instruction[] => [
    [jumpIfEqual, call, 0, 4],
    [load, at.firstArgument],
    [jumpIfSet, newNamespaces, 0, 1],
    refuse(EPERM),
    [give, allow],
  ];
  const valued = (call: number, argument: number, values: readonly number[]): Instruction[] => [
    [jumpIfEqual, call, 0, 2 + 2 * values.length],
    [load, argument],
    ...values.flatMap((value): Instruction[] => [[jumpIfEqual, value, 0, 1], refuse(EPERM)]),
    [give, allow],
  ];
  return [
    [load, at.number],
    ...(foreign === undefined ? [] : ([[jumpIfNotBelow, foreign, 0, 1], refuse(EPERM)] as const)),
    ...names.flatMap((name): Instruction[] => [[jumpIfEqual, denied[name] ?? 0, 0, 1], refuse(EPERM)]),
    [jumpIfEqual, clone3, 0, 1],
    refuse(ENOSYS),
    ...namespaces(clone),
    ...namespaces(unshare),
    ...valued(ioctl, at.secondArgument, terminalInput),
    ...valued(socket, at.firstArgument, hostSockets),
    [give, allow],
  ];
}

/** struct sock_filter each: u16 code, u8 jt, u8 jf, u32 k */
function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, operand, ifTrue = 0, ifFalse = 0], i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(ifTrue, i * 8 + 2);
    bytes.writeUInt8(ifFalse, i * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, i * 8 + 4);
  });
  return bytes;
}
