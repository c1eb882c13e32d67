import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, mayMount, start } from '../support/lamina.js';

/** Procedures that do what none should: the update is whole or nothing, and nothing of them lives on. */
describe.skipIf(!mayMount)('a procedure that misbehaves', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('misbehaviour');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    await world.inside('web', 'echo own >/etc/own');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** Whether a process on this machine has a word in its command line. */
  const lives = (word: string) =>
    readdirSync('/proc').some((pid) => {
      if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(word);
      } catch {
        return false; // it has ended meanwhile
      }
    });
  const applied = async (name: string, text: string) => {
    await world.run('update', 'apply', 'tiny', world.script(name, text), '--always-run');
    const root = await world.look('web');
    await world.run('rollback', name);
    return root;
  };
  const fails = async (says: RegExp, text: string, ...options: string[]) => {
    const before = world.storeContent();
    const done = await world.attempt('update', 'apply', 'tiny', world.script('fails', text), ...options);
    expect({ code: done.code, stderr: done.stderr.slice(-3000) }).toEqual({
      code: 1,
      stderr: expect.stringMatching(says) as string,
    });
    expect([...differences(before, world.storeContent()).values()]).toEqual([]);
    expect(world.mounts()).toEqual([]);
  };

  it('goes to the background: what it started ends with it, and writes no more', async () => {
    const late = '(sleep 7654; echo late >/etc/late) </dev/null >/dev/null 2>&1 &';
    const root = await applied(
      'background',
      `${late}\nsetsid sleep 7655 >/dev/null 2>&1 &\necho in-time >/etc/in-time`,
    );
    expect([root.has('/etc/in-time'), root.has('/etc/late')]).toEqual([true, false]);
    await sleep(200);
    expect([lives('7654'), lives('7655')]).toEqual([false, false]);
  });

  it('holds its output open from the background', async () => {
    const root = await applied('holds', 'sleep 7656 &\necho done >/etc/holds');
    expect(root.has('/etc/holds')).toBe(true);
    expect(lives('7656')).toBe(false);
  });

  it('kills its parent, and all it can see', async () => {
    await fails(
      /the procedure failed on the base: .*(SIGKILL|exit code)/s,
      'echo x >/etc/x; kill -9 $PPID; kill -9 -1; kill -9 $$',
    );
  });

  it('mounts inside', async () => {
    const tries =
      'mount -t tmpfs none /mnt && exit 9; mount --bind /etc /mnt && exit 9; umount /proc && exit 9; umount / && exit 9';
    const root = await applied('mounts', `${tries}; echo tried >/etc/tried`);
    expect(root.has('/etc/tried')).toBe(true);
  });

  it('looks for its own delta to change it', async () => {
    const looks = `if test -e '${world.store}' || test -e /run/lamina/upper; then exit 9; fi; echo x >>/run/lamina/procedure && exit 9; mv /run/lamina/procedure /run/p && exit 9`;
    const root = await applied(
      'delta',
      `${looks}; setfattr -n trusted.overlay.opaque -v y /etc 2>/dev/null && exit 9; echo tried >/etc/tried`,
    );
    expect(root.has('/etc/tried')).toBe(true);
  });

  it('runs for ever', async () => {
    await fails(/took longer than 2 s/, "trap '' TERM INT HUP; while :; do sleep 1; done", '--timeout', '2');
  });

  it('prints three times as much as is kept', async () => {
    const script = world.script('prints', 'dd if=/dev/zero bs=1048576 count=192 2>/dev/null; echo x >/etc/printed');
    const done = await world.start([], {
      through: [
        'sh',
        '-c',
        `exec '${process.execPath}' '${world.cli}' update apply tiny '${script}' --container web 2>/dev/null`,
      ],
    }).finished;
    expect(done.code).toBe(0);
    const [update] = readdirSync(`${world.store}/updates`);
    const kept = readFileSync(`${world.store}/updates/${String(update)}/base/output.log`);
    expect(kept.length).toBeLessThan(65 << 20);
    expect(kept.subarray(-60).toString()).toContain('omitted');
    await world.run('rollback', 'prints');
  });

  it('prints what would work in a terminal: shown escaped, and with --raw as it was printed', async () => {
    const script = world.script(
      'colours',
      String.raw`printf '\033]0;owned\007\033[2Jred\n'; printf '\302\233\n' >&2; exit 3`,
    );
    const escaped = await world.attempt('update', 'apply', 'tiny', script);
    const raw = await world.attempt('update', 'apply', 'tiny', script, '--raw');
    expect([escaped.code, raw.code]).toEqual([1, 1]);

    expect(escaped.stdout + escaped.stderr).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/);
    expect(escaped.stderr).toContain(String.raw`\x1b]0;owned\x07\x1b[2Jred`);
    expect(raw.stderr).toContain('\u001b]0;owned\u0007\u001b[2Jred\n');
  });

  it('has its mount copied into a mount namespace that outlives it', async () => {
    const script = world.script('copied', 'echo waiting; sleep 2; echo x >/etc/copied');
    const apply = world.start(['update', 'apply', 'tiny', script]);
    await apply.said('waiting');
    const other = start('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', 'echo there; cat'], {
      input: undefined,
    });
    await other.said('there');
    const begun = Date.now();
    expect((await apply.finished).code).toBe(0);
    // Nobody waits for the driver of a mount that lives on there.
    expect(Date.now() - begun).toBeLessThan(25_000);
    other.child.stdin?.end();
    await other.finished;
    expect(await world.inside('web', 'cat /etc/copied')).toBe('x\n');
    await world.run('rollback', 'copied');
  });

  it('is still at work when its container is to be removed', async () => {
    const apply = world.start([
      'update',
      'apply',
      'tiny',
      world.script('slow', 'if test -e /etc/own; then echo waiting; sleep 2; fi; echo x >/etc/x'),
    ]);
    await apply.said('waiting');
    const refused = await world.attempt('remove', 'web');
    expect({ code: refused.code, stderr: refused.stderr }).toEqual({
      code: 4,
      stderr: expect.stringMatching(/web.*in use by process \d+ \(update apply tiny\)/) as string,
    });
    expect((await apply.finished).code).toBe(0);
    expect(await world.inside('web', 'cat /etc/x')).toBe('x\n');
    await world.run('rollback', 'slow');
  });
});
