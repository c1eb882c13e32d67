import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildTiny } from '../lamina.js';

/** Of the Debian root: what the steps do not use and what would only take time. */
const leftOut = ['locale', 'man', 'doc', 'i18n', 'zoneinfo', 'perl', 'bash-completion', 'ca-certificates', 'lintian']
  .map((name) => `usr/share/${name}`)
  .concat(['usr/lib/python3.11', 'usr/lib/git-core', 'usr/lib/*/perl', 'usr/lib/*/gconv', 'usr/bin/python*'])
  .concat(['usr/bin/git*', 'usr/bin/vim*', 'usr/bin/ssh*', 'usr/sbin/sshd', 'usr/sbin/nginx', 'usr/bin/scalar']);

function shell(script: string): void {
  const done = spawnSync('sh', ['-ec', script], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
}

/** `tiny.tar`, without devices, which an ordinary user cannot unpack. */
export function packTiny(place: string): void {
  const tiny = buildTiny(join(place, 'tiny'));
  shell(`tar -C ${tiny} -cf ${place}/tiny.tar --exclude='./dev/*' .`);
}

/** `debian.tar`, a smaller Debian root, `tiny.tar`, and `tool.deb`, a package without dependencies. */
export function prepare(place: string, debianTar: string): void {
  const root = join(place, 'debian');
  mkdirSync(root, { recursive: true });
  const excluded = leftOut.map((path) => `--exclude='./${path}'`).join(' ');
  shell(`tar -C ${root} -xf ${debianTar} --exclude='./dev/*' ${excluded}; tar -C ${root} -cf ${place}/debian.tar .`);
  packTiny(place);
  const tool = join(place, 'tool');
  mkdirSync(join(tool, 'DEBIAN'), { recursive: true });
  mkdirSync(join(tool, 'usr/bin'), { recursive: true });
  writeFileSync(
    join(tool, 'DEBIAN/control'),
    'Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: Test <test@localhost>\nDescription: tool\n',
  );
  writeFileSync(join(tool, 'usr/bin/tool'), '#!/bin/sh\necho tool\n');
  chmodSync(join(tool, 'usr/bin/tool'), 0o755);
  shell(`dpkg-deb --root-owner-group --build ${tool} ${place}/tool.deb`);
  for (const name of ['debian.tar', 'tiny.tar', 'tool.deb']) chmodSync(join(place, name), 0o644);
}

/** A copy of the driver that everybody may run. */
export function publicDriver(laminafs: string, place: string): string {
  const copy = join(place, 'laminafs');
  cpSync(laminafs, copy);
  chmodSync(copy, 0o755);
  return copy;
}
