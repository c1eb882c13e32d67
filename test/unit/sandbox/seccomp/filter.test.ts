import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemCallFilter } from '../../../../src/sandbox/seccomp/filter.js';
import { allowed, byCapability, refused, tracing } from '../../../../src/sandbox/seccomp/lists.js';
import { arm64Calls, i386Calls, x86Calls } from '../../../../src/sandbox/seccomp/numbers.js';
import { decide } from './machine.js';

const allow = 0x7fff0000;
const errno = (number: number) => 0x00050000 | number;
const [EPERM, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT] = [errno(1), errno(38), errno(93), errno(97)];

const architectures = [
  { name: 'x86-64', processor: 'x64', audit: 0xc000003e, calls: x86Calls },
  { name: '32-bit x86', processor: 'x64', audit: 0x40000003, calls: i386Calls },
  { name: '64-bit ARM', processor: 'arm64', audit: 0xc00000b7, calls: arm64Calls },
] as const;

/** Decided by their arguments. */
const special = ['clone', 'clone3', 'unshare', 'ioctl', 'personality', 'socket', 'socketpair', 'socketcall'];

describe.each(architectures)('the filter of system calls on $name', ({ processor, audit, calls }) => {
  const procedure = systemCallFilter({ tracing: false }, processor);
  const person = systemCallFilter({ tracing: true }, processor);
  const number = (name: string) => calls.get(name) ?? Number.NaN;
  const decided = (name: string, ...args: number[]) =>
    decide(procedure, { architecture: audit, number: number(name), arguments: args });

  it('decides every number as the lists say, and knows no other', () => {
    const names = new Map([...calls].map(([name, each]) => [each, name]));
    for (let each = 0; each < 5000; each++) {
      const name = names.get(each) ?? '';
      if (special.includes(name)) continue;
      const expected = allowed.includes(name) ? allow : refused.includes(name) ? EPERM : ENOSYS;
      expect([each, name, decide(procedure, { architecture: audit, number: each })]).toEqual([each, name, expected]);
      const traced = tracing.includes(name) ? allow : expected;
      expect([each, name, decide(person, { architecture: audit, number: each })]).toEqual([each, name, traced]);
    }
    for (const each of [0x40000000, 0x40000001, 0x40000208, 0x7fffffff, 0xffffffff])
      expect(decide(procedure, { architecture: audit, number: each })).toBe(ENOSYS);
  });

  it('makes no namespaces', () => {
    for (const bit of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      expect(decided('clone', bit | 17)).toBe(EPERM);
      expect(decided('unshare', bit)).toBe(EPERM);
    }
    expect(decided('unshare', 0x80)).toBe(EPERM);
    expect(decided('unshare', 0x400)).toBe(allow);
    // A thread, and a process whose parent gets SIGCHLD.
    expect(decided('clone', 0x3d0f00)).toBe(allow);
    expect(decided('clone', 17)).toBe(allow);
    expect(decided('clone3')).toBe(ENOSYS);
  });

  it('makes sockets of a few families only', () => {
    for (let family = 0; family < 60; family++) {
      const expected = family === 40 ? EPERM : [1, 2, 10, 16, 17].includes(family) ? allow : EAFNOSUPPORT;
      expect([family, decided('socket', family, 3, 0)]).toEqual([family, expected]);
    }
    expect(decided('socket', 16, 3, 9)).toBe(EPROTONOSUPPORT);
    expect(decided('socket', 2, 3, 9)).toBe(allow);
    expect(decided('socketpair', 1)).toBe(allow);
    expect(decided('socketpair', 40)).toBe(EAFNOSUPPORT);
    if (!calls.has('socketcall')) return;
    for (let call = 0; call < 24; call++)
      expect([call, decided('socketcall', call)]).toEqual([call, call === 1 ? EAFNOSUPPORT : allow]);
  });

  it('puts nothing into a terminal, and keeps personalities', () => {
    expect(decided('ioctl', 0, 0x5412)).toBe(EPERM);
    expect(decided('ioctl', 0, 0x541c)).toBe(EPERM);
    expect(decided('ioctl', 0, 0x5401)).toBe(allow);
    for (const value of [0, 8, 0x20000, 0x20008, 0xffffffff]) expect(decided('personality', value)).toBe(allow);
    for (const value of [0x40000, 0x400000, 1, 6]) expect(decided('personality', value)).toBe(EPERM);
  });

  it('allows with a capability what it is for', () => {
    for (const [capability, names] of Object.entries(byCapability)) {
      const filter = systemCallFilter({ tracing: false, added: [capability as 'SYS_ADMIN'] }, processor);
      for (const name of names.filter((each) => calls.has(each)))
        expect([name, decide(filter, { architecture: audit, number: number(name) })]).toEqual([name, allow]);
      expect(decide(filter, { architecture: audit, number: number('open_by_handle_at') })).toBe(EPERM);
      const clone = decide(filter, { architecture: audit, number: number('clone'), arguments: [0x20000] });
      expect(clone).toBe(capability === 'SYS_ADMIN' ? allow : EPERM);
    }
  });

  it('refuses calls of another architecture', () => {
    expect(decide(procedure, { architecture: 0x40000028, number: 0 })).toBe(EPERM);
  });
});

describe('the lists of system calls', () => {
  const known = new Set([...x86Calls.keys(), ...i386Calls.keys(), ...arm64Calls.keys()]);

  it('name each call once, and only calls that there are', () => {
    const listed = [...allowed, ...refused];
    expect(listed.filter((name) => !known.has(name))).toEqual([]);
    expect(listed.filter((name, i) => listed.indexOf(name) !== i)).toEqual([]);
  });

  const engines = '/usr/share/containers/seccomp.json';
  /** Newer than the profile that is compared with, or harmless and needed by 32-bit programs. */
  const beyond = [
    ...[
      'fchmodat2',
      'file_getattr',
      'file_setattr',
      'setxattrat',
      'getxattrat',
      'listxattrat',
      'removexattrat',
      'cachestat',
    ],
    ...[
      'mseal',
      'map_shadow_stack',
      'set_mempolicy_home_node',
      'futex_waitv',
      'futex_wait',
      'futex_wake',
      'futex_requeue',
    ],
    ...['io_pgetevents', 'io_pgetevents_time64', 'nice', 'chroot'],
  ];

  it.runIf(existsSync(engines))('allow no more than the profile of container engines, but for what is named', () => {
    const { syscalls } = JSON.parse(readFileSync(engines, 'utf8')) as {
      syscalls: { action: string; names: string[]; includes?: { caps?: string[] } }[];
    };
    const theirs = new Set(
      syscalls
        .filter(({ action, includes }) => action === 'SCMP_ACT_ALLOW' && (includes?.caps ?? []).length === 0)
        .flatMap(({ names }) => names),
    );
    expect(allowed.filter((name) => !theirs.has(name) && !beyond.includes(name))).toEqual([]);
  });
});
