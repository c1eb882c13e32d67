import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, isRoot } from './lamina.js';

/*
 * Programs that a test tries and that no machine needs for it: they come with services, bridges and users. Their Debian
 * packages are unpacked, not installed, and laid over /usr and /etc in the mount namespace of a script.
 */

export interface Unpacked {
  /** Shell lines, for a mount namespace of its own, after which the programs are there. */
  readonly lines: string;
  /** Why they cannot be had; '' where they can. */
  readonly requirement: string;
}

/** @param packages as apt-get(8) takes them, with `=VERSION` */
export function unpacked(name: string, packages: readonly string[]): Unpacked {
  if (!isRoot) return { lines: '', requirement: ' (needs root)' };
  const place = join(checkout, 'build/packages', name);
  if (!existsSync(place)) {
    const stage = `${place}.${process.pid}`;
    rmSync(stage, { recursive: true, force: true });
    mkdirSync(join(stage, 'etc'), { recursive: true });
    const script =
      'apt-get -q -o APT::Sandbox::User=root download "$@"; for each in *.deb; do dpkg-deb --extract "$each" .; rm "$each"; done';
    const done = spawnSync('sh', ['-ec', script, 'sh', ...packages], {
      cwd: stage,
      encoding: 'utf8',
      env: { ...process.env, APT_CONFIG: '', LC_ALL: 'C' },
    });
    if (done.status !== 0) {
      rmSync(stage, { recursive: true, force: true });
      return { lines: '', requirement: ` (needs the packages ${packages.join(', ')}: ${lastLine(done.stderr)})` };
    }
    renameSync(stage, place);
  }
  const lines = ['usr', 'etc'].map((each) => `mount -t overlay -o ro,lowerdir=${place}/${each}:/${each} none /${each}`);
  return { lines: lines.join('; '), requirement: '' };
}

export const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
