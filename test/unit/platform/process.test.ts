import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isSystemError } from '../../../src/base/errors.js';
import { outputOf, runProcess } from '../../../src/platform/process.js';
import type { ProcessRequest } from '../../../src/platform/process.js';

const shell = (script: string): Pick<ProcessRequest, 'command' | 'args'> => ({ command: 'sh', args: ['-c', script] });

async function run(script: string, more: Partial<ProcessRequest> = {}) {
  const output = { stdout: '', stderr: '' };
  const onOutput = (chunk: Buffer, stream: 'stdout' | 'stderr') => {
    output[stream] += chunk.toString();
  };
  return { ...(await runProcess({ ...shell(script), onOutput, ...more })), ...output };
}

/** Whether a process of this id exists and is no zombie. */
function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}

describe('runProcess', () => {
  it('streams both outputs and gives the exit code', async () => {
    const result = await run('echo out; echo err >&2; exit 3');
    expect(result).toMatchObject({ exitCode: 3, signal: null, ended: 'by-itself', stdout: 'out\n', stderr: 'err\n' });
  });

  it('gives a death by signal as a shell does', async () => {
    expect(await run('kill -KILL $$')).toMatchObject({ exitCode: 137, signal: 'SIGKILL', ended: 'by-itself' });
  });

  it('closes standard input, or feeds it', async () => {
    expect((await run('cat; echo end')).stdout).toBe('end\n');
    expect((await run('cat', { stdin: Buffer.from('text') })).stdout).toBe('text');
    expect((await run('exit 0', { stdin: Buffer.alloc(1 << 20) })).exitCode).toBe(0);
  });

  it('gives exactly the environment and directory it is given', async () => {
    const result = await run('echo "$A$HOME"; pwd', { env: { A: 'a', PATH: '/usr/bin:/bin' }, cwd: '/usr' });
    expect(result.stdout).toBe('a\n/usr\n');
  });

  it('ends the whole group when the time is over', async () => {
    const result = await run('sleep 60 & echo $!; wait', { timeoutMs: 100 });
    expect(result).toMatchObject({ ended: 'timeout', signal: 'SIGTERM' });
    expect(alive(Number(result.stdout))).toBe(false);
  });

  it('kills what does not heed SIGTERM', async () => {
    const script = 'trap "" TERM; echo ready; while :; do sleep 1; done';
    const result = await run(script, { timeoutMs: 100, graceMs: 100 });
    expect(result).toMatchObject({ ended: 'timeout', signal: 'SIGKILL' });
  });

  it('ends it when the caller wants that', async () => {
    const result = await run('sleep 60', { signal: AbortSignal.timeout(50) });
    expect(result.ended).toBe('aborted');
    await expect(run('true', { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });

  it('does not wait for others who kept its output', async () => {
    const begin = performance.now();
    const result = await run('sleep 60 & echo $!');
    process.kill(Number(result.stdout));
    expect(performance.now() - begin).toBeLessThan(10_000);
  });

  it('says that there is no such program', async () => {
    const missing = runProcess({ command: 'no-such-program' });
    await expect(missing).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("'no-such-program'") as string,
    });
    await expect(runProcess({ command: '/etc/passwd' })).rejects.toMatchObject({ exitCode: 1 });
  });
});

describe('outputOf', () => {
  it('gives standard output', async () => {
    expect((await outputOf(shell('printf x'))).toString()).toBe('x');
  });

  it('reports the last lines of a failure', async () => {
    const failing = outputOf(shell('seq 1 20 >&2; exit 7'));
    await expect(failing).rejects.toThrow("'sh' failed (exit code 7):\n16\n17\n18\n19\n20");
  });
});
