import { mkdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, mayMount } from '../support/lamina.js';

/** Paths whose bytes are no ASCII, or no UTF-8. */
describe.skipIf(!mayMount).each([
  ['UTF-8', Buffer.from('dïr störe')],
  ['no UTF-8', Buffer.from('a\xff\xe9 b', 'latin1')],
])('a path with bytes that are %s', (_, name) => {
  let world: World;
  let place: Buffer;

  beforeAll(() => {
    world = new World('byte-paths');
    place = Buffer.concat([Buffer.from(`${world.directory}/`), name]);
    mkdirSync(place);
    buildTiny(world.path('tiny'));
  });
  afterAll(() => {
    // What is mounted there has a name that Node cannot spell.
    spawnSync('sh', ['-c', `cd '${world.directory}' && umount -l */* 2>/dev/null; true`]);
    world.remove();
  });

  /** A shell script with the place as its working directory and in $P, `lamina` in it; its bytes are latin1. */
  function shell(script: string): { status: number | null; output: string } {
    const text = [
      `lamina() { '${process.execPath}' '${checkout}/dist/lamina.js' "$@"; }`,
      `cd '${world.directory}'; cd "$(printf '%b' '${[...name].map((byte) => `\\0${byte.toString(8)}`).join('')}')"; P=$PWD`,
      'set -e; export LAMINA_STORE="$P/store"',
      script,
    ].join('\n');
    const { status, stdout, stderr } = spawnSync('bash', ['-c', `exec 2>&1\n${text}`]);
    return { status, output: `${stdout.toString('latin1')}${stderr.toString('latin1')}` };
  }
  const done = (output: unknown) => ({ status: 0, output });

  it('is that of a store, a source and a procedure', () => {
    const script = `
      lamina init >/dev/null
      cp -a ../tiny "$P/source" && lamina base import tiny source >/dev/null
      tar -C source -c . | xz -0 >root.tar.xz && lamina base import packed "$P/root.tar.xz" >/dev/null
      lamina create web --base tiny >/dev/null
      printf '#!/bin/sh\\necho 2 >/usr/share/app.version\\n' >up && chmod +x up
      lamina update apply tiny ./up --name one >/dev/null
      lamina run web -- cat /usr/share/app.version
      lamina verify >/dev/null`;
    expect(shell(script)).toEqual(done('2\n'));
  });

  it('is that of a mount point, absolute, relative and by hand', () => {
    const script = `
      mkdir point work
      lamina mount web "$P/point" >/dev/null; test -e point/etc/app.conf
      lamina --json status | grep -c '"mountpoint": "/.*point"'
      lamina umount point >/dev/null; lamina mount web point >/dev/null; echo new >point/srv/new; lamina umount web >/dev/null
      lamina update begin tiny work --name hand >/dev/null; echo 3 >work/usr/share/app.version
      lamina update commit hand >/dev/null
      lamina run web -- cat /srv/new /usr/share/app.version`;
    expect(shell(script)).toEqual(done('1\nnew\n3\n'));
  });

  it('is that of an inbox, and of a temporary directory', () => {
    const script = `
      export TMPDIR="$P/tmp"; mkdir tmp inbox inbox/pack
      printf '#!/bin/sh\\necho 4 >/usr/share/app.version\\n' >inbox/pack/run.sh; chmod +x inbox/pack/run.sh
      echo '{"version": 1, "name": "pack", "procedure": "run.sh", "base": "tiny"}' >inbox/pack/update.json
      lamina watch inbox --once --settle 0.1 >/dev/null 2>&1
      ls inbox/done; ls tmp; lamina run web -- cat /usr/share/app.version`;
    expect(shell(script)).toEqual(done('pack\npack.json\n4\n'));
  });

  it('keeps the bytes of the words of a command', () => {
    const script = `
      name=$(basename "$P"); lamina run web -- touch "/srv/$name"
      lamina mount web "$P/point" >/dev/null; test -e "point/srv/$name" && echo 1; lamina umount web >/dev/null`;
    expect(shell(script)).toEqual(done('1\n'));
  });

  it('is named in errors as it is typed, without upsetting a terminal', () => {
    const { status, output } = shell('lamina mount web "$P/absent"');
    expect(status).toBe(3);
    expect(output).toContain(
      name.toString('latin1') === 'a\xff\xe9 b' ? 'a\\xff\\xe9 b/absent' : name.toString('latin1'),
    );
  });
});
