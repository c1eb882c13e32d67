import { failed } from '../../base/errors.js';
import type { Capability } from '../capabilities.js';
import { allowed, byCapability, refused, tracing } from './lists.js';
import { arm64Calls, i386Calls, x86Calls } from './numbers.js';
import type { CallNumbers } from './numbers.js';

/*
 * The filter of system calls that a sandbox runs under: a classic BPF program over `struct seccomp_data` (seccomp(2),
 * Documentation/userspace-api/seccomp_filter.rst).
 */

interface Architecture {
  /** AUDIT_ARCH_… of linux/audit.h */
  readonly audit: number;
  readonly calls: CallNumbers;
}

const i386: Architecture = { audit: 0x40000003, calls: i386Calls };
/** By Node's name of the processor: the architectures that its kernel runs programs of. */
const architectures: Readonly<Record<string, readonly Architecture[]>> = {
  x64: [{ audit: 0xc000003e, calls: x86Calls }, i386],
  arm64: [{ audit: 0xc00000b7, calls: arm64Calls }],
};

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
const EPROTONOSUPPORT = 93;
const EAFNOSUPPORT = 97;
/** Offsets in struct seccomp_data; of an argument the low half, on little-endian machines. */
const at = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index };

/**
 * CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: clone(2). The first is unshare's only;
 * clone has the signal's number there.
 */
const newNamespaces = 0x7e020000;
const newTime = 0x80;
/**
 * asm-generic/ioctls.h: inject input into the user's terminal (TIOCSTI), and paste the console's selection there
 * (TIOCLINUX).
 */
const terminalInput = [0x5412, 0x541c];
/**
 * AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET of linux/socket.h. Others are rarely used parts of the kernel, some
 * of which reach the host even without a network.
 */
const families = [1, 2, 10, 16, 17];
const unixSockets = 1;
/** AF_VSOCK: programs of a virtual machine that try it get an error. */
const hostSockets = 40;
const netlink = 16;
/** NETLINK_AUDIT: the host's audit. Without it libaudit assumes that the kernel has no audit. */
const audit = 9;
/** SYS_SOCKET of linux/net.h, as in socketcall(2): its arguments lie in memory, where no filter can look. */
const makeSocket = 1;
/** PER_LINUX, PER_LINUX32, UNAME26, both, and the question what it is: personality(2). */
const personalities = [0, 8, 0x20000, 0x20008, 0xffffffff];

type Instruction = readonly [code: number, operand: number, ifTrue?: number, ifFalse?: number];

export interface FilterOptions {
  /** Whether processes may trace one another. */
  readonly tracing: boolean;
  /** Capabilities beyond the common ones, which have no use without their calls. */
  readonly added?: readonly Capability[];
}

/**
 * The program as in seccomp(2).
 * @param processor as in process.arch
 * @throws LaminaError failed: the processor is not known here
 */
export function systemCallFilter(options: FilterOptions, processor: string = process.arch): Buffer {
  const known = architectures[processor];
  if (known === undefined) {
    throw failed(`there is no system call filter for this processor (${processor})`, {
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

function blockOf({ calls }: Architecture, options: FilterOptions): Instruction[] {
  const added = options.added ?? [];
  const special = specialBlocks(calls, added.includes('SYS_ADMIN'));
  return [[load, at.number], ...special, ...runs(decisions(calls, options))];
}

/** The result for a call that is decided by its number alone. */
function decisions(calls: CallNumbers, { tracing: mayTrace, added = [] }: FilterOptions): Map<number, number> {
  const decided = new Map<number, number>();
  const decide = (names: readonly string[], decision: number) => {
    for (const name of names) {
      const number = calls.get(name);
      if (number !== undefined) decided.set(number, decision);
    }
  };
  decide(refused, refuseWith(EPERM));
  decide(allowed, allow);
  if (mayTrace) decide(tracing, allow);
  for (const capability of added) decide(byCapability[capability] ?? [], allow);
  return decided;
}

/** Numbers in their order, each followed by the result for it and the numbers after it. */
function runs(decided: ReadonlyMap<number, number>): Instruction[] {
  const missing = refuseWith(ENOSYS);
  const program: Instruction[] = [];
  const end = Math.max(...decided.keys()) + 1;
  let decision = decided.get(0) ?? missing;
  for (let number = 1; number <= end; number++) {
    const next = decided.get(number) ?? missing;
    if (next === decision) continue;
    program.push([jumpIfNotBelow, number, 1, 0], [give, decision]);
    decision = next;
  }
  return [...program, [give, decision]];
}

/** Calls that are decided by their arguments. */
function specialBlocks(calls: CallNumbers, mayMakeNamespaces: boolean): Instruction[] {
  const on = (name: string, block: readonly Instruction[]): Instruction[] => {
    const number = calls.get(name);
    return number === undefined ? [] : [[jumpIfEqual, number, 0, block.length], ...block];
  };
  const flags = (refusedFlags: number): Instruction[] => [
    [load, at.argument(0)],
    [jumpIfSet, mayMakeNamespaces ? 0 : refusedFlags, 0, 1],
    [give, refuseWith(EPERM)],
    [give, allow],
  ];
  return [
    // New namespaces would give a process capabilities that it lacks. The flags of clone3 lie in memory; when it is
    // missing the C library uses clone.
    ...on('clone3', [[give, refuseWith(ENOSYS)]]),
    ...on('clone', flags(newNamespaces)),
    ...on('unshare', flags(newNamespaces | newTime)),
    ...on('ioctl', byArgument(1, terminalInput, refuseWith(EPERM), allow)),
    ...on('personality', byArgument(0, personalities, allow, refuseWith(EPERM))),
    ...on('socket', socketBlock()),
    ...on('socketpair', byArgument(0, [unixSockets], allow, refuseWith(EAFNOSUPPORT))),
    ...on('socketcall', byArgument(0, [makeSocket], refuseWith(EAFNOSUPPORT), allow)),
  ];
}

function byArgument(index: number, values: readonly number[], decision: number, otherwise: number): Instruction[] {
  return [
    [load, at.argument(index)],
    ...values.flatMap((value): Instruction[] => [
      [jumpIfEqual, value, 0, 1],
      [give, decision],
    ]),
    [give, otherwise],
  ];
}

function socketBlock(): Instruction[] {
  const others = families.filter((family) => family !== netlink);
  const audited = byArgument(2, [audit], refuseWith(EPROTONOSUPPORT), allow);
  return [
    [load, at.argument(0)],
    [jumpIfEqual, hostSockets, 0, 1],
    [give, refuseWith(EPERM)],
    [jumpIfEqual, netlink, 0, audited.length],
    ...audited,
    ...others.flatMap((family): Instruction[] => [
      [jumpIfEqual, family, 0, 1],
      [give, allow],
    ]),
    [give, refuseWith(EAFNOSUPPORT)],
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
