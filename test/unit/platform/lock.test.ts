import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { LockHeld, acquireLock, isLocked, lockHolder, takeLock, tryLock } from '../../../src/platform/lock.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();

describe('lock', () => {
  it('is shared by readers and excludes writers', async () => {
    const one = await acquireLock(at('shared'), 'shared');
    const two = await acquireLock(at('shared'), 'shared');
    expect(tryLock(at('shared'), 'exclusive')).toBeUndefined();
    one.release();
    two.release();
    two.release();
    const writer = tryLock(at('shared'), 'exclusive');
    expect([writer?.held, one.held]).toEqual([true, false]);
    expect(tryLock(at('shared'), 'shared')).toBeUndefined();
    writer?.release();
  });

  it('is waited for, and its holder is named', async () => {
    const first = await acquireLock(at('waited'), 'exclusive');
    let waits = 0;
    const second = acquireLock(at('waited'), 'exclusive', { timeoutMs: 5000, onWait: () => waits++ });
    await sleep(60);
    first.release();
    (await second).release();
    expect(waits).toBe(1);
  });

  it('is asked after without being in the way, and without making it', async () => {
    expect([isLocked(at('asked')), existsSync(at('asked'))]).toEqual([false, false]);
    await expect(takeLock(at('asked'))).rejects.toMatchObject({ code: 'ENOENT' });
    // As one who asks, for longer.
    const asking = await acquireLock(at('asked'), 'shared');
    expect(isLocked(at('asked'))).toBe(false);
    const taking = takeLock(at('asked'));
    await sleep(20);
    asking.release();
    const taken = await taking;
    expect([taken?.held, isLocked(at('asked')), await takeLock(at('asked'))]).toEqual([true, true, undefined]);
    expect(lockHolder(at('asked'))).toMatch(new RegExp(`^process ${String(process.pid)} `));
    taken?.release();
    expect(lockHolder(at('asked'))).toBeUndefined();
  });

  it('is refused when the time is over', async () => {
    const holder = await acquireLock(at('over'), 'exclusive');
    await expect(acquireLock(at('over'), 'shared')).rejects.toThrow(LockHeld);
    const late = acquireLock(at('over'), 'exclusive', { timeoutMs: 40 });
    await expect(late).rejects.toMatchObject({ exitCode: 4, code: 'LOCK_HELD' });
    holder.release();
  });

  it('is waited for until the command is interrupted', async () => {
    const holder = await acquireLock(at('interrupted'), 'exclusive');
    const command = new AbortController();
    const waiting = acquireLock(at('interrupted'), 'exclusive', { timeoutMs: 60_000, signal: command.signal });
    const reason = new Error('interrupted by a test');
    await sleep(20);
    command.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    holder.release();
  });

  it('is dropped by the kernel with its process', async () => {
    const holder = ['--no-fork', at('killed'), 'sh', '-c', 'echo locked; exec sleep 60'];
    const child = spawn('flock', holder, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(tryLock(at('killed'), 'exclusive')).toBeUndefined();
    child.kill('SIGKILL');
    const lock = await acquireLock(at('killed'), 'exclusive', { timeoutMs: 5000 });
    expect(lock.held).toBe(true);
    lock.release();
  });

  it('is of the file that is there now, not of one that was replaced', async () => {
    const old = await acquireLock(at('replaced'), 'exclusive');
    writeFileSync(toBuffer(at('fresh')), '');
    renameSync(toBuffer(at('fresh')), toBuffer(at('replaced')));
    const now = tryLock(at('replaced'), 'exclusive');
    expect(now?.held).toBe(true);
    expect(tryLock(at('replaced'), 'shared')).toBeUndefined();
    old.release();
    now?.release();
  });

  it('fails where there is no directory for it', async () => {
    await expect(acquireLock(at('none', 'lock'), 'shared')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
