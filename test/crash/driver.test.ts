import { spawnSync } from 'node:child_process';
import { createConnection } from 'node:net';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, isRoot, mountPoints, run, start } from '../support/lamina.js';
import type { Started } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const kills = Number(process.env['LAMINA_KILLS'] ?? 8);
/** Five deaths within ten seconds end a mount: kills are further apart. */
const pause = 2_600;
const sqlite = spawnSync('sqlite3', ['--version']).status === 0;
if (!sqlite) process.emitWarning('SQLite under a dying driver is skipped: the program sqlite3 is missing');

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Names that come, move and go, each step looked at; every round leaves the directory empty. */
const names = `set -e; cd "$1"; mkdir "$2"; cd "$2"
while [ ! -e ../stop ]; do
  set -C; echo "$RANDOM" > a; set +C
  ln a l; mv a b; mkdir d; mv l d/l; cmp b d/l
  exec 3> b; rm b; echo x >&3; exec 3>&-; [ "$(cat d/l)" = x ]
  ln -s t s; [ "$(readlink s)" = t ]; [ "$(ls | tr '\\n' ' ')" = 'd s ' ]
  rm d/l s; rmdir d; [ -z "$(ls)" ]; echo round
done`;

/** Files of a lower, written, moved over each other and removed; and content that is read back, in the mount and in the upper. */
const content = `set -e; cd "$1"
while [ ! -e stop ]; do
  head -c $((RANDOM * 40)) /dev/urandom > "$2/data"; cp "$2/data" data.new; sync data.new; mv data.new data
  cmp data "$2/data"; cmp "$2/upper/data" "$2/data"
  echo changed > f; [ "$(cat f)" = changed ]; mv f g; [ ! -e f ]; mv g f; chmod 600 f; rm f; echo again > f; echo round
done`;

const transactions = `set -e; cd "$1"; sqlite3 db 'create table t(i integer)'; n=0
while [ ! -e stop ]; do
  sqlite3 -cmd '.timeout 60000' db 'begin; insert into t values(1); insert into t values(2); commit;' > /dev/null; n=$((n + 2))
  [ "$(sqlite3 db 'select count(*) from t')" = "$n" ]; echo round
done
[ "$(sqlite3 db 'pragma integrity_check')" = ok ]`;

describe.skipIf(!isRoot)('a driver whose worker is killed', () => {
  let place: string;
  let driver: Started;
  const at = (...parts: string[]) => join(place, ...parts);

  const ping = () =>
    new Promise<number>((resolve, reject) => {
      const socket = createConnection(at('control'));
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed')));
      socket.on('data', (chunk: Buffer) => {
        resolve((JSON.parse(chunk.toString()) as { pid: number }).pid);
        socket.end();
      });
      socket.write('{"command":"ping"}\n');
    });
  const worker = async (): Promise<number> => {
    for (let tries = 0; tries < 1_000; ++tries) {
      const pid = existsSync(at('control')) ? await ping().catch(() => 0) : 0;
      if (pid !== 0) return pid;
      await sleep(10);
    }
    throw new Error(`no worker answers: ${readFileSync('/proc/mounts', 'utf8')}`);
  };

  beforeEach(async () => {
    place = mkdtempSync(join(tmpdir(), 'lamina-crash-'));
    for (const name of ['lower', 'upper', 'work', 'mnt']) mkdirSync(at(name));
    writeFileSync(at('lower/f'), 'of the lower\n');
    const options = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')},control=${at('control')},supervise=on`;
    driver = start(laminafs, ['-f', '-o', options, at('mnt')]);
    await worker();
  });
  afterEach(async () => {
    for (const point of mountPoints().filter((each) => each.startsWith(`${place}/`)))
      await run('umount', ['--lazy', point]);
    rmSync(place, { recursive: true, force: true });
  });

  it(`goes on ${String(kills)} times, and no program sees an error`, { timeout: kills * 5_000 + 60_000 }, async () => {
    const load = (script: string, ...more: string[]) => start('bash', ['-c', script, 'bash', at('mnt'), ...more]);
    const loads = [load(names, '1'), load(names, '2'), load(content, place)];
    if (sqlite) loads.push(load(transactions));
    for (let time = 0; time < kills; ++time) {
      await sleep(pause + Math.random() * 300);
      const before = await worker();
      process.kill(before, 'SIGKILL');
      while ((await worker()) === before) await sleep(5);
    }
    writeFileSync(at('mnt/stop'), '');
    for (const each of loads) {
      const done = await each.finished;
      expect(done).toMatchObject({ code: 0, stderr: '' });
      expect(done.stdout).toMatch(/round/);
    }
    expect(await run('umount', [at('mnt')])).toMatchObject({ code: 0 });
    expect(await driver.finished).toMatchObject({ code: 0 });
    expect(readdirSync(at('work/work'))).toEqual([]);
    expect(readdirSync(at('upper/1'))).toEqual([]);
  });

  it('ends the mount, and says so, where five workers die within ten seconds', async () => {
    const open = () => run('ls', [at('mnt')]);
    expect(await open()).toMatchObject({ code: 0, stdout: 'f\n' });
    for (let time = 0; time < 5; ++time) {
      const pid = await worker();
      process.kill(pid, 'SIGKILL');
      while (time < 4 && (await worker()) === pid) await sleep(5);
    }
    const done = await driver.finished;
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/5 workers have died within 10 seconds; the mount ends/);
    expect(mountPoints()).not.toContain(at('mnt'));
  });
});
