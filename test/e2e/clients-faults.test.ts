import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packTiny, publicDriver } from '../support/clients/prepare.js';
import { Session } from '../support/clients/session.js';
import type { Who } from '../support/clients/steps.js';
import { checkout, isRoot } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const missing = ['podman', 'crun', 'newuidmap'].filter(
  (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
);
const requirement = missing.length > 0 ? ` (needs ${missing.join(', ')})` : '';

describe.skipIf(!isRoot || missing.length > 0)(`faults of engines that mount by laminafs${requirement}`, () => {
  let place: string;
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-faults-'));
    chmodSync(place, 0o755);
    packTiny(place);
    writeFileSync(join(place, 'tool.deb'), '');
  });
  afterAll(() => {
    rmSync(place, { recursive: true, force: true });
  });

  function sessionOf(name: string, who: Who, program = publicDriver(laminafs, place)): Session {
    const directory = join(place, name);
    mkdirSync(directory);
    const session = new Session(directory, { name: 'laminafs', program }, who, place);
    writeFileSync(
      join(directory, 'context/Slowfile'),
      'FROM localhost/tiny:1\nRUN rm /etc/group; touch /one\nRUN echo two >/two; touch /in-step; sleep 1000\n',
    );
    writeFileSync(join(directory, 'context/Quickfile'), 'FROM localhost/tiny:1\nRUN rm /etc/group; touch /one\n');
    return session;
  }
  const begin = () => `set -e; podman import -q ${place}/tiny.tar localhost/tiny:1 >/dev/null`;
  const end = '{ podman rm -fat 0; podman rmi -fa; } >/dev/null';

  it('a build that is killed leaves a storage that goes on', async () => {
    const { code, stdout, stderr } = await sessionOf('killed', 'root').run(`${begin()}
      setsid podman build -q --layers --isolation chroot -f Slowfile context </dev/null >log 2>&1 & build=$!
      for i in $(seq 600); do ls root/overlay/*/diff/in-step >/dev/null 2>&1 && break; sleep 0.1; done
      ls root/overlay/*/diff/in-step >/dev/null; kill -KILL -- -$build; wait $build || true
      podman build -q --layers --isolation chroot -t localhost/built:1 -f Quickfile context >/dev/null
      run localhost/built:1 sh -c 'exec 2>&1; ls /one /etc/group /two || true'
      run localhost/tiny:1 ls /etc/group
      podman system prune -f >/dev/null; ${end}`);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^ls: \/etc\/group: No such.*\nls: \/two: No such.*\n\/one\n\/etc\/group\n$/m);
  });

  it('a closed /dev/fuse is named as the reason, and nothing stays mounted', async () => {
    const session = sessionOf('closed', 'user');
    const { code, stdout, stderr } = await session.run(
      `${begin()}
      run localhost/tiny:1 true && exit 1; left; ${end}`,
      { device: 0o600 },
    );
    expect([code, stdout]).toEqual([0, '0\n0\n']);
    expect(stderr).toMatch(
      /laminafs: cannot open \/dev\/fuse \(every user may where its mode is 0666.*Permission denied/,
    );
  });

  it('too few subordinate ids are the reason of an image that needs more, and of a chown', async () => {
    const { code, stdout, stderr } = await sessionOf('few-ids', 'user').run(
      `set -e; podman import -q ${place}/tiny.tar localhost/tiny:1 && exit 1
      mkdir plain; in_users podman tar -C plain --no-same-owner -xf ${place}/tiny.tar
      in_users podman tar -C plain -c . | podman import -q - localhost/plain:1 >/dev/null
      run localhost/plain:1 sh -c 'exec 2>&1; chown 50:60 /etc/group; stat -c %u:%g /etc/group; chown 500 /etc/group || true'
      left; ${end}`,
      { ids: 100 },
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^50:60\nchown: .*Invalid argument\n0\n0\n$/)]);
    expect(stderr).toMatch(/insufficient UIDs or GIDs available/);
  });

  it('options of an engine that is newer pass', async () => {
    const program = join(place, 'newer-program');
    const more = 'new_option,other=1:2,,xino=off,uuid=null,redirect_dir=nofollow,index=off,metacopy=off';
    writeFileSync(
      program,
      `#!/bin/sh\n[ "$1" = -o ] || exec ${place}/laminafs "$@"\nshift; o=$1; shift; exec ${place}/laminafs --new-flag -o "$o,${more}" -o noacl "$@"\n`,
    );
    chmodSync(program, 0o755);
    publicDriver(laminafs, place);
    const { code, stdout } = await sessionOf('newer', 'root', program).run(`${begin()}
      run localhost/tiny:1 sh -c 'rm /etc/group; ls /etc/group 2>&1 || true'; left; ${end}`);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/No such file.*\n0\n0\n$/)]);
  });
});
