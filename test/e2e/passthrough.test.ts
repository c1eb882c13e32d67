import { createConnection } from 'node:net';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, isRoot, mountPoints, run } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const large = Buffer.alloc(1 << 20, 'a');

interface Counts {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly operations: Readonly<Record<string, number>>;
}

/** `mode=passthrough`: what the kernel does by itself, and what it cannot. */
describe.skipIf(!isRoot)('laminafs, passthrough', () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-passthrough-'));
    for (const name of ['lower', 'upper', 'work', 'mnt', 'below', 'stacked']) mkdirSync(at(name));
    writeFileSync(at('lower/large'), large);
    writeFileSync(at('lower/small'), 'small');
  });
  afterEach(async () => {
    for (const point of mountPoints().filter((each) => each.startsWith(`${place}/`)))
      await run('umount', ['--lazy', point]);
    rmSync(place, { recursive: true, force: true });
  });

  const start = (more = '', layers = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`) =>
    run(laminafs, ['-o', `${layers},mode=passthrough,control=${at('control')}${more}`, at('mnt')]);
  const counts = (): Promise<Counts> =>
    new Promise((resolve, reject) => {
      const socket = createConnection(at('control'));
      let answer = '';
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString();
        if (!answer.includes('\n')) return;
        socket.end();
        resolve(JSON.parse(answer) as Counts);
      });
      socket.write('{"command":"statistics"}\n');
    });
  const firstByte = (descriptor: number) => {
    const buffer = Buffer.alloc(1);
    readSync(descriptor, buffer, 0, 1, 0);
    return buffer.toString();
  };

  it('moves data without the driver, except of small files of lowers', async () => {
    expect(await start()).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(at('mnt/large')).equals(large)).toBe(true);
    writeFileSync(at('mnt/new'), large);
    expect(readFileSync(at('upper/new')).equals(large)).toBe(true);
    const before = await counts();
    expect(before).toMatchObject({ bytesRead: 0, bytesWritten: 0 });
    expect(before.operations['read']).toBeUndefined();
    expect(before.operations['write']).toBeUndefined();
    expect(readFileSync(at('mnt/small'), 'utf8')).toBe('small');
    expect(await counts()).toMatchObject({ bytesRead: 5 });
  });

  it('asks for no attribute before each write', async () => {
    expect(await start()).toMatchObject({ code: 0 });
    const file = openSync(at('mnt/new'), 'w');
    for (let i = 0; i < 200; i++) writeSync(file, 'x');
    closeSync(file);
    expect((await counts()).operations['getxattr'] ?? 0).toBeLessThan(10);
    expect(statSync(at('mnt/new')).size).toBe(200);
  });

  it('asks for the size of an open file now and then, not each time', async () => {
    expect(await start()).toMatchObject({ code: 0 });
    writeFileSync(at('mnt/table'), large);
    const before = (await counts()).operations['getattr'] ?? 0;
    // lseek(2) to the end, which Node does not offer; each of ten writes must show at once.
    const script =
      'open(my $f, "+<", $ARGV[0]) or die; for my $grown (0 .. 9) { for (1 .. 200) ' +
      '{ sysseek($f, 0, 2) == $ARGV[1] + $grown or die "the size of before $grown writes" } syswrite($f, "x") }';
    const asked = await run('perl', ['-e', script, at('mnt/table'), String(large.length)]);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(((await counts()).operations['getattr'] ?? 0) - before).toBeLessThan(1000);
  });

  it('leaves the old content to a descriptor that a writer finds there, and nothing else', async () => {
    expect(await start()).toMatchObject({ code: 0 });
    const reader = openSync(at('mnt/large'), 'r');
    expect(firstByte(reader)).toBe('a');
    const writer = openSync(at('mnt/large'), 'r+');
    writeSync(writer, 'b', 0);
    expect(firstByte(reader)).toBe('a');
    expect(readFileSync(at('mnt/large')).subarray(0, 2).toString()).toBe('ba');
    writeSync(writer, 'end', large.length);
    expect(fstatSync(reader).size).toBe(large.length + 3);
    expect(fstatSync(reader).ino).toBe(statSync(at('mnt/large')).ino);
    for (const each of [reader, writer]) closeSync(each);
    expect(readFileSync(at('lower/large')).equals(large)).toBe(true);
    expect(await run('umount', [at('mnt')])).toMatchObject({ code: 0 });
  });

  it('refuses what would keep data from passing, and leaves nothing mounted', async () => {
    const below = `lowerdir=${at('lower')},upperdir=${at('below')},workdir=${at('stacked')}`;
    expect(await run('mount', ['-t', 'overlay', 'overlay', '-o', below, at('mnt')])).toMatchObject({ code: 0 });
    mkdirSync(at('mnt/merged'));
    const stacked = await run(laminafs, ['-o', `lowerdir=${at('mnt')},mode=passthrough`, at('upper')]);
    expect(stacked.code).not.toBe(0);
    expect(stacked.stderr).toContain('stacked on another');
    expect(mountPoints()).not.toContain(at('upper'));
    for (const [more, said] of [
      [',writeback', 'writeback cannot be combined with'],
      [`,journal=${at('journal')}`, 'journal= cannot be combined with'],
    ] as const) {
      const refused = await start(more);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain(said);
    }
  });
});
