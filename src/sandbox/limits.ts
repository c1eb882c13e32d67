import { totalmem } from 'node:os';

/** What all processes of a sandbox may use together. Undefined: the default. */
export interface Limits {
  readonly processes?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly processors?: number | undefined;
  /** Of /dev/shm. */
  readonly sharedBytes?: number | undefined;
}

const mebibyte = 1 << 20;
/** The defaults of podman. */
const commonProcesses = 2048;
const commonSharedBytes = 64 * mebibyte;
/** Of the memory that there is; the rest stays for the host, and for the drivers. */
const commonMemoryShare = 0.8;

/** What is written to a file system in memory counts as memory of the sandbox, too. */
const temporaryShare = 0.5;
const runShare = 0.2;

/** As the sandbox's records (native/sandbox/spec.h). */
export interface LimitRecords {
  readonly bounds: readonly (readonly string[])[];
  readonly sizes: { readonly run: string; readonly tmp: string; readonly shm: string };
}

export function limitRecords(limits: Limits): LimitRecords {
  const memory = limits.memoryBytes ?? Math.floor(presentMemory() * commonMemoryShare);
  const bound = (word: string, asked: number | undefined, value: number) => [
    word,
    `${value}`,
    asked === undefined ? '-' : 'asked',
  ];
  return {
    bounds: [
      bound('processes', limits.processes, limits.processes ?? commonProcesses),
      bound('memory', limits.memoryBytes, memory),
      bound('processors', limits.processors, Math.round((limits.processors ?? 0) * 1000)),
    ],
    sizes: {
      run: `${Math.floor(memory * runShare)}`,
      tmp: `${Math.floor(memory * temporaryShare)}`,
      shm: `${limits.sharedBytes ?? commonSharedBytes}`,
    },
  };
}

/** Of the machine, or of this process's control group. */
function presentMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

const unlimited = '-';

/**
 * Limits of each process, whatever the caller's are: those of a systemd service. Numbers as in setrlimit(2) on x86-64
 * and 64-bit ARM. The limit of pending signals depends on the machine's memory and is left alone.
 */
export const processLimits: readonly (readonly [number: number, soft: string, hard: string])[] = [
  [0, unlimited, unlimited], // CPU
  [1, unlimited, unlimited], // FSIZE
  [2, unlimited, unlimited], // DATA
  [3, `${8 * mebibyte}`, unlimited], // STACK
  [4, '0', unlimited], // CORE
  [5, unlimited, unlimited], // RSS
  [6, unlimited, unlimited], // NPROC
  [7, '1024', '524288'], // NOFILE
  [8, `${8 * mebibyte}`, `${8 * mebibyte}`], // MEMLOCK
  [9, unlimited, unlimited], // AS
  [10, unlimited, unlimited], // LOCKS
  [12, '819200', '819200'], // MSGQUEUE
  [13, '0', '0'], // NICE
  [14, '0', '0'], // RTPRIO
  [15, unlimited, unlimited], // RTTIME
];
