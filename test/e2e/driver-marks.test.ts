import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { BytePath } from '../../src/base/byte-path.js';
import { readXattrsSync, setXattrSync } from '../../src/platform/native.js';
import { scanTree } from '../../src/store/node-index/scan.js';
import { encodeIndex } from '../../src/store/node-index/writer.js';
import { checkout, isRoot, mountPoints, run } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const modes = ['stateless', 'passthrough', 'servicing'];

describe.skipIf(!isRoot)('laminafs obeys', () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);
  const inMount = (...parts: string[]) => at('mnt', ...parts);

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-marks-'));
    for (const name of ['top', 'low', 'upper', 'work', 'mnt']) mkdirSync(at(name));
  });
  afterEach(async () => {
    for (const point of mountPoints().filter((each) => each.startsWith(`${place}/`)))
      await run('umount', ['--lazy', point]);
    rmSync(place, { recursive: true, force: true });
  });

  async function mount(options: string, lowers = ['top', 'low']): Promise<void> {
    const layers = `lowerdir=${lowers.map((each) => at(each)).join(':')},upperdir=${at('upper')},workdir=${at('work')}`;
    expect(await run(laminafs, ['-o', `${layers},${options}`, at('mnt')])).toMatchObject({ code: 0, stderr: '' });
  }
  async function unmount(): Promise<void> {
    expect(await run('umount', [at('mnt')])).toMatchObject({ code: 0 });
    expect(await run('flock', ['--timeout', '30', at('work'), 'true'])).toMatchObject({ code: 0 });
  }

  it.each(modes)('whiteouts that are files, as in the layers of images, %s', async (mode) => {
    mkdirSync(at('low/etc'));
    mkdirSync(at('low/d/old'), { recursive: true });
    for (const path of ['low/etc/secret', 'low/etc/kept']) writeFileSync(at(path), 'x');
    mkdirSync(at('top/etc'));
    mkdirSync(at('top/d'));
    for (const path of ['top/etc/.wh.secret', 'top/d/.wh..wh..opq', 'top/d/new']) writeFileSync(at(path), '');
    await mount(`mode=${mode}`);
    expect(readdirSync(inMount('etc'))).toEqual(['kept']);
    expect(readdirSync(inMount('d'))).toEqual(['new']);
    expect(existsSync(inMount('etc/secret'))).toBe(false);
    expect(existsSync(inMount('etc/.wh.secret'))).toBe(false);
    for (const name of ['.wh.kept', '.wh..wh..opq']) {
      expect(() => {
        writeFileSync(inMount('etc', name), '');
      }).toThrow(/EINVAL/);
      expect(() => {
        mkdirSync(inMount('etc', name));
      }).toThrow(/EINVAL/);
      expect(() => {
        renameSync(inMount('etc/kept'), inMount('etc', name));
      }).toThrow(/EINVAL/);
    }
    writeFileSync(inMount('etc/secret'), 'made anew');
    await unmount();
    await mount(`mode=${mode}`);
    expect(readFileSync(inMount('etc/secret'), 'utf8')).toBe('made anew');
  });

  it('no such mark in the layers of a store', async () => {
    writeFileSync(at('low/f'), 'x');
    writeFileSync(at('top/.wh.f'), 'a file');
    await mount('whiteout_files=off');
    expect(readdirSync(at('mnt')).sort()).toEqual(['.wh.f', 'f']);
    expect(readFileSync(inMount('.wh.f'), 'utf8')).toBe('a file');
  });

  it('no default access list of the work directory', async () => {
    mkdirSync(at('low/d'));
    for (const path of ['low/f', 'low/d/g']) writeFileSync(at(path), 'x', { mode: 0o640 });
    const list = await run('setfacl', ['-d', '-m', 'u:1234:rwx', at('work'), place]);
    expect(list).toMatchObject({ code: 0 });
    await mount('mode=stateless');
    appendFileSync(inMount('f'), 'y');
    chmodSync(inMount('d/g'), 0o600);
    rmSync(inMount('f'));
    writeFileSync(inMount('f'), 'over a whiteout', { mode: 0o640 });
    mkdirSync(inMount('made'));
    for (const path of ['f', 'd', 'd/g', 'made']) {
      const names = [...readXattrsSync(Buffer.from(inMount(path)))].map(([name]) => name);
      expect([path, names.filter((name) => name.includes('acl'))]).toEqual([path, []]);
    }
  });

  /** A lower with its index: etc/id and the other name of its file. */
  async function mountProtected(mode: string, match: string): Promise<void> {
    mkdirSync(at('low/etc/deep'), { recursive: true });
    mkdirSync(at('low/elsewhere'));
    writeFileSync(at('low/etc/id'), 'id');
    linkSync(at('low/etc/id'), at('low/alias'));
    writeFileSync(at('low/etc/deep/free'), 'free');
    writeFileSync(at('low/elsewhere/id'), 'other');
    writeFileSync(at('index'), await encodeIndex(await scanTree(at('low') as BytePath, { hash: true })));
    const rules = [{ match, decision: 'protect' }];
    writeFileSync(at('rules'), JSON.stringify({ version: 1, rules }));
    await mount(`mode=${mode},lowerindex=${at('index')},filter=${at('rules')}`, ['low']);
  }

  it.each(modes)('protection of a file by each of its names, %s', async (mode) => {
    await mountProtected(mode, '/etc/id');
    const attempts: [string, (path: string) => void][] = [
      ['write', (path) => writeFileSync(path, 'changed')],
      ['append', (path) => appendFileSync(path, 'changed')],
      ['truncate', (path) => truncateSync(path, 0)],
      ['open and truncate', (path) => closeSync(openSync(path, 'w'))],
      ['chmod', (path) => chmodSync(path, 0o600)],
      ['utimes', (path) => utimesSync(path, 1, 1)],
      ['setxattr', (path) => setXattrSync(path as BytePath, 'user.k', Buffer.from('v'))],
      ['link', (path) => linkSync(path, inMount('another'))],
    ];
    for (const name of ['etc/id', 'alias']) {
      for (const [what, attempt] of attempts) {
        expect(() => {
          attempt(inMount(name));
        }, `${what} of ${name}`).toThrow(/EROFS/);
      }
    }
    // The other name itself is nobody's.
    renameSync(inMount('alias'), inMount('moved'));
    expect(() => {
      appendFileSync(inMount('moved'), 'changed');
    }, 'after its other name has moved').toThrow(/EROFS/);
    unlinkSync(inMount('moved'));
    expect(readFileSync(inMount('etc/id'), 'utf8')).toBe('id');
    writeFileSync(inMount('elsewhere/id'), 'changed');
    await unmount();
  });

  it.each(modes)('protection of a path from its directories, %s', async (mode) => {
    await mountProtected(mode, '/**/id');
    const refused = (what: string, attempt: () => void) => {
      expect(attempt, what).toThrow(/EROFS/);
    };
    refused('removal', () => unlinkSync(inMount('etc/id')));
    refused('rename', () => renameSync(inMount('etc/id'), inMount('x')));
    refused('a file over it', () => renameSync(inMount('etc/deep/free'), inMount('etc/id')));
    refused('its directory', () => renameSync(inMount('etc'), inMount('etc2')));
    refused('of a new file', () => writeFileSync(inMount('etc/deep/id'), ''));
    renameSync(inMount('etc/deep'), inMount('deep'));
    renameSync(inMount('deep'), inMount('etc/deep'));
    await unmount();
  });

  it('protection of a path that a directory would bring', async () => {
    await mountProtected('stateless', '/new/deep/free');
    expect(() => {
      renameSync(inMount('etc'), inMount('new'));
    }).toThrow(/EROFS/);
    mkdirSync(inMount('empty'));
    renameSync(inMount('empty'), inMount('new'));
    rmdirSync(inMount('new'));
    await unmount();
  });
});
