// Runs commands for the benchmark and times them as a whole.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** Runs a program to its end; throws with what it said where it fails. */
export function run(program, args, options = {}) {
  const result = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (result.error) throw new Error(`${program}: ${result.error.message}`);
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(' ')} ended with ${result.status ?? result.signal}: ${result.stderr}`);
  }
  return result.stdout;
}

/** Seconds that a shell script takes in a directory. */
export function timed(script, directory) {
  const start = process.hrtime.bigint();
  run('sh', ['-ec', script], { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** @param {'all' | 'dentries'} what  proc_sys_vm(5): 3 drops the page cache too, 2 only dentries and inodes. */
export function dropCaches(what) {
  run('sync', []);
  writeFileSync('/proc/sys/vm/drop_caches', what === 'all' ? '3' : '2');
}

/** Waits, with the process stopped. */
export function pause(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Seconds that a function takes. */
export function timing(work) {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}
