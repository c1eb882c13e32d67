import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, isRoot, mountPoints, run, start } from '../support/lamina.js';
import type { Started } from '../support/lamina.js';
import { sleep, workerAt } from '../support/worker.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const kills = Number(process.env['LAMINA_KILLS'] ?? 4);
/** Five deaths within ten seconds end a mount: so many kills are further apart. */
const pause = kills < 5 ? 600 : 2_600;
const has = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;
const sqlite = has('sqlite3', '--version');
const python = has('python3', '-c', 'import sqlite3');
if (!python) process.emitWarning('attributes and verified writes under a dying driver are skipped: python3 is missing');

/** Names that come, move and go, each step looked at; every round leaves the directory empty. */
const names = `set -e; cd "$1"; mkdir "$2"; cd "$2"
while [ ! -e ../stop ]; do
  set -C; echo "$RANDOM" > a; set +C
  ln a l; mv a b; mkdir d; mv l d/l; cmp b d/l
  exec 3> b; rm b; echo x >&3; exec 3>&-; [ "$(cat d/l)" = x ]
  ln -s t s; [ "$(readlink s)" = t ]; [ "$(ls | tr '\\n' ' ')" = 'd s ' ]
  rm d/l s; rmdir d; [ -z "$(ls)" ]; echo round
done`;

/**
 * Files of a lower, written, moved over each other and removed; and content that is read back, in the mount and in the
 * upper.
 */
const content = `set -e; cd "$1"
while [ ! -e stop ]; do
  head -c $((RANDOM * 40)) /dev/urandom > "$2/data"; cp "$2/data" data.new; sync data.new; mv data.new data
  cmp data "$2/data"; cmp "$2/upper/data" "$2/data"
  echo changed > f; [ "$(cat f)" = changed ]; mv f g; [ ! -e f ]; mv g f; chmod 600 f; rm f; echo again > f; echo round
done`;

/** The same in Python where sqlite3(1) is missing. */
const pythonTransactions = `import os, sqlite3, sys
os.chdir(sys.argv[1]); count = 0
def connect(): return sqlite3.connect('db', timeout=60)
base = connect(); base.execute('create table t(i integer)'); base.commit(); base.close()
while not os.path.exists('stop'):
    base = connect()
    base.executemany('insert into t values(?)', [(1,), (2,)]); base.commit(); count += 2
    assert base.execute('select count(*) from t').fetchone()[0] == count
    base.close(); print('round')
assert connect().execute('pragma integrity_check').fetchone()[0] == 'ok'
`;

/** Extended attributes: each made once, read, listed and removed once. */
const attributes = `import os, sys
os.chdir(sys.argv[1]); os.mkdir('attributes'); n = 0
while not os.path.exists('stop'):
    value = b'%d' % n; n += 1
    open('attributes/x', 'xb').close()
    os.setxattr('attributes/x', 'user.k', value, os.XATTR_CREATE)
    os.link('attributes/x', 'attributes/y'); os.unlink('attributes/x')
    assert os.getxattr('attributes/y', 'user.k') == value and os.listxattr('attributes/y') == ['user.k']
    os.setxattr('attributes/y', 'user.k', b'', os.XATTR_REPLACE); os.removexattr('attributes/y', 'user.k')
    os.unlink('attributes/y'); assert os.listdir('attributes') == []; print('round')
`;

/** Writes a pattern to random places of a file, and reads all of it back past the caches, again and again. */
const verified = `import os, random, sys
os.chdir(sys.argv[1]); size = 1 << 20; block = 4096; known = bytearray(size); random.seed(5)
file = os.open('verified', os.O_RDWR | os.O_CREAT | os.O_EXCL); os.ftruncate(file, size)
while not os.path.exists('stop'):
    for _ in range(64):
        at = random.randrange(size // block) * block; data = random.randbytes(block)
        assert os.pwrite(file, data, at) == block; known[at:at + block] = data
    os.fsync(file)
    with open(sys.argv[2] + '/upper/verified', 'rb') as real: assert real.read() == known
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(file, size, 0) == known; print('round')
`;

const transactions = `set -e; cd "$1"; sqlite3 db 'create table t(i integer)'; n=0
while [ ! -e stop ]; do
  sqlite3 -cmd '.timeout 60000' db 'begin; insert into t values(1); insert into t values(2); commit;' > /dev/null; n=$((n + 2))
  [ "$(sqlite3 db 'select count(*) from t')" = "$n" ]; echo round
done
[ "$(sqlite3 db 'pragma integrity_check')" = ok ]`;

/** Each name of its own round, so that one that is recorded twice or not at all is seen. */
const recordedLoad = `set -e; cd "$1"; n=0
while [ ! -e "$1/../stop" ]; do
  mkdir d$n; : > d$n/a; ln d$n/a d$n/l; mv d$n/a d$n/b; chmod 600 d$n/b
  rm d$n/l; rm d$n/b; rmdir d$n; [ ! -e missing$n ]; n=$((n + 1)); echo round
done`;

describe.skipIf(!isRoot)('a driver whose worker is killed', () => {
  let place: string;
  let driver: Started;
  const at = (...parts: string[]) => join(place, ...parts);

  const options = () =>
    `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')},control=${at('control')},supervise=on`;

  const worker = () => workerAt(at('control'));

  beforeEach(async () => {
    place = mkdtempSync(join(tmpdir(), 'lamina-crash-'));
    for (const name of ['lower', 'upper', 'work', 'mnt']) mkdirSync(at(name));
    writeFileSync(at('lower/f'), 'of the lower\n');
    driver = start(laminafs, ['-f', '-o', options(), at('mnt')]);
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
    const script = (text: string) => start('python3', ['-u', '-c', text, at('mnt'), place]);
    if (sqlite) loads.push(load(transactions));
    else if (python) loads.push(script(pythonTransactions));
    if (python) loads.push(script(attributes), script(verified));
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

  it('records what is done while it services, once and wholly', { timeout: kills * 5_000 + 60_000 }, async () => {
    expect(await run('umount', [at('mnt')])).toMatchObject({ code: 0 });
    await driver.finished;
    const recorded = `mode=servicing,journal=${at('journal')},readset=${at('reads')}`;
    driver = start(laminafs, ['-f', '-o', `${options()},${recorded}`, at('mnt')]);
    await worker();
    const load = start('bash', ['-c', recordedLoad, 'bash', at('mnt')]);
    for (let time = 0; time < Math.min(kills, 25); ++time) {
      await sleep(pause + Math.random() * 300);
      const before = await worker();
      process.kill(before, 'SIGKILL');
      while ((await worker()) === before) await sleep(5);
    }
    writeFileSync(at('stop'), '');
    const done = await load.finished;
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(await run('umount', [at('mnt')])).toMatchObject({ code: 0 });
    expect(await driver.finished).toMatchObject({ code: 0 });
    const lines = (name: string) => readFileSync(at(name), 'utf8').trimEnd().split('\n');
    const journal = lines('journal').map((line) => JSON.parse(line) as { n: number; operation: string; path: string });
    expect(journal.map(({ n }) => n)).toEqual(journal.map((_, index) => index + 1));
    const rounds = done.stdout.match(/round/g)?.length ?? 0;
    expect(rounds).toBeGreaterThan(kills);
    const once = Array.from({ length: rounds }, (_, n) => [
      ...[`mkdir /d${n}`, `create /d${n}/a`, `link /d${n}/a`, `rename /d${n}/a`, `chmod /d${n}/b`],
      ...[`unlink /d${n}/l`, `unlink /d${n}/b`, `rmdir /d${n}`],
    ]).flat();
    expect(journal.map(({ operation, path }) => `${operation} ${path}`)).toEqual(once);
    const reads = new Map(
      lines('reads')
        .slice(1)
        .map((line) => JSON.parse(line) as { path: string; kinds: string[] })
        .map(({ path, kinds }) => [path, kinds]),
    );
    for (let n = 0; n < rounds; ++n) expect(reads.get(`/missing${n}`), `missing${n}`).toEqual(['absent']);
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
