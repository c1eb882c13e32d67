import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromText, toText } from '../../../src/base/bytes.js';
import { temporaryDirectory } from '../platform/temporary.js';
import { pictureOf } from './journalled.js';
import type { Journalled } from './journalled.js';
import { replayIn } from './replayed.js';
import type { ReplayCase } from './replayed.js';

const at = temporaryDirectory();
const replayed = async (example: ReplayCase) => replayIn(toText(at()), example);
const conf = 'port = 80\nname = x\nlog = y\n';

describe('replaying what was done to the base', () => {
  it('lets a renamed configuration file carry the version of the user along', async () => {
    const { files, conflicts } = await replayed({
      base: { 'etc/': '', 'etc/old.conf': conf },
      user: (root) => writeFileSync(join(root, 'etc/old.conf'), 'mine'),
      update: (base) => base.rename('etc/old.conf', 'etc/new.conf'),
    });
    expect(files).toEqual({ etc: 'd 755', 'etc/new.conf': 'f 644 mine' });
    expect(conflicts).toEqual([]);
  });

  it('moves the own files of the user with a directory', async () => {
    const { files } = await replayed({
      base: { 'a/': '', 'a/x': '1' },
      user: (root) => writeFileSync(join(root, 'a/own'), 'mine'),
      update: (base) => base.rename('a', 'b'),
    });
    expect(files).toEqual({ b: 'd 755', 'b/own': 'f 644 mine', 'b/x': 'f 644 1' });
  });

  it.each([
    ['in place', (base: Journalled) => base.write('conf', conf.replace('y', 'z'))],
    ['by renaming over it', (base: Journalled) => base.replace('conf', conf.replace('y', 'z'))],
    [
      'by removing and making it again',
      (base: Journalled) => {
        base.unlink('conf');
        base.write('conf', conf.replace('y', 'z'));
      },
    ],
  ])('merges a text that both changed, written %s', async (_, update) => {
    const { files, conflicts } = await replayed({
      base: { conf },
      user: (root) => writeFileSync(join(root, 'conf'), conf.replace('80', '8080')),
      update,
    });
    expect(files).toEqual({ conf: 'f 644 port = 8080\nname = x\nlog = z\n' });
    expect(conflicts).toEqual([]);
  });

  it('keeps what does not merge, and puts the new version beside it', async () => {
    const { files, conflicts } = await replayed({
      base: { conf },
      user: (root) => writeFileSync(join(root, 'conf'), conf.replace('80', '8080')),
      update: (base) => base.replace('conf', conf.replace('80', '443'), 0o600),
    });
    expect(files).toEqual({
      conf: `f 600 ${conf.replace('80', '8080')}`,
      'conf.lamina-new': `f 600 ${conf.replace('80', '443')}`,
    });
    expect(conflicts).toEqual(['conf']);
  });

  it('cuts the name of what it puts beside where the whole would be too long, between characters, and keeps it unique', async () => {
    const long = `${'n'.repeat(242)}${'ä'.repeat(6)}`;
    const names = [`${long}x`, long];
    const { files, conflicts } = await replayed({
      base: Object.fromEntries(names.map((name) => [name, 'old'])),
      user: (root) => {
        for (const name of names) writeFileSync(join(root, name), 'mine');
      },
      update: (base) => {
        base.write(names[0]!, 'first');
        base.write(names[1]!, 'second');
      },
    });
    const cut = 'n'.repeat(242);
    expect(conflicts).toEqual([...names].sort());
    expect(files).toEqual({
      [names[0]!]: 'f 644 mine',
      [names[1]!]: 'f 644 mine',
      [`${cut}ä.lamina-new`]: 'f 644 first',
      [`${cut}.lamina-new.2`]: 'f 644 second',
    });
  });

  it('uses no name that a container has', async () => {
    const { files } = await replayed({
      base: { a: '1' },
      user: (root) => {
        mkdirSync(join(root, '.lamina-replay'), { mode: 0o755 });
        writeFileSync(join(root, '.lamina-replay/0'), 'mine');
      },
      update: (base) => base.unlink('a'),
    });
    expect(files).toEqual({ '.lamina-replay': 'd 755', '.lamina-replay/0': 'f 644 mine' });
  });

  it('gives the root directory its attributes', async () => {
    const modes: number[] = [];
    await replayed({
      base: { a: '1' },
      user: (root) => chmodSync(root, 0o711),
      update: (base) => base.chmod('', 0o750),
      look: (root) => modes.push(statSync(root).mode & 0o7777),
    });
    expect(modes).toEqual([0o750]);
  });

  it('gives the new version where the user had left the old one, though its mode was changed', async () => {
    const { files } = await replayed({
      base: { conf },
      user: (root) => chmodSync(join(root, 'conf'), 0o640),
      update: (base) => base.replace('conf', 'new'),
    });
    expect(files).toEqual({ conf: 'f 640 new' });
  });

  it('leaves what the user removed removed, and says so', async () => {
    const { files, passed } = await replayed({
      base: { a: '1', b: '2', c: '3' },
      user: (root) => {
        for (const name of ['a', 'b', 'c']) rmSync(join(root, name));
      },
      update: (base) => {
        base.write('a', 'new');
        base.replace('b', 'new');
        base.rename('c', 'd');
      },
    });
    expect(files).toEqual({});
    expect(passed).toEqual(['a', 'b', 'c']);
  });

  it('does not take a rotated log for one that the user removed', async () => {
    const { files } = await replayed({
      base: { log: 'old' },
      user: (root) => writeFileSync(join(root, 'log'), 'mine'),
      update: (base) => {
        base.rename('log', 'log.1');
        base.write('log', 'new');
      },
    });
    expect(files).toEqual({ log: 'f 644 new', 'log.1': 'f 644 mine' });
  });

  it('removes a tree but for what the user put into it', async () => {
    const { files, passed } = await replayed({
      base: { 'd/': '', 'd/e/': '', 'd/e/x': '1', 'd/y': '2' },
      user: (root) => writeFileSync(join(root, 'd/e/own'), 'mine'),
      update: (base) => base.remove('d'),
    });
    expect(files).toEqual({ d: 'd 755', 'd/e': 'd 755', 'd/e/own': 'f 644 mine' });
    expect(passed).toEqual(['d', 'd/e']);
  });

  it('moves a file out of a directory that then stays for what the user put into it', async () => {
    const { files } = await replayed({
      base: { 'd/': '', 'd/x': '1', 'e/': '' },
      user: (root) => {
        writeFileSync(join(root, 'd/own'), 'mine');
        rmSync(join(root, 'e'), { recursive: true });
      },
      update: (base) => {
        base.rename('d/x', 'e/x');
        base.rmdir('d');
        base.chmod('e/x', 0o600);
      },
    });
    expect(files).toEqual({ d: 'd 755', 'd/own': 'f 644 mine', 'd/x': 'f 600 1' });
  });

  it('puts beside a file of the user what the base never had there', async () => {
    const { files, conflicts } = await replayed({
      base: { 'd/': '', x: '1' },
      user: (root) => {
        writeFileSync(join(root, 'new'), 'mine');
        writeFileSync(join(root, 'tree'), 'mine');
        mkdirSync(join(root, 'moved'));
      },
      update: (base) => {
        base.write('new', 'theirs');
        base.mkdir('tree');
        base.write('tree/file', '1');
        base.rename('x', 'moved');
      },
    });
    expect(files).toEqual({
      d: 'd 755',
      moved: 'd 755',
      'moved.lamina-new': 'f 644 1',
      new: 'f 644 mine',
      'new.lamina-new': 'f 644 theirs',
      tree: 'f 644 mine',
      'tree.lamina-new': 'd 755',
      'tree.lamina-new/file': 'f 644 1',
    });
    expect(conflicts).toEqual(['moved', 'new', 'tree']);
  });

  it('lets a directory of the user serve for one that the update makes', async () => {
    const { files, conflicts } = await replayed({
      base: {},
      user: (root) => {
        mkdirSync(join(root, 'd'));
        chmodSync(join(root, 'd'), 0o700);
        writeFileSync(join(root, 'd/own'), 'mine');
      },
      update: (base) => {
        base.mkdir('d');
        base.write('d/file', '1');
      },
    });
    expect(files).toEqual({ d: 'd 700', 'd/file': 'f 644 1', 'd/own': 'f 644 mine' });
    expect(conflicts).toEqual([]);
  });

  it('changes modes of the own content, and through links', async () => {
    const { files } = await replayed({
      base: { a: '1' },
      user: (root) => writeFileSync(join(root, 'a'), 'mine'),
      update: (base) => {
        base.link('a', 'b');
        base.chmod('b', 0o600);
        base.symlink('a', 's');
      },
    });
    expect(files).toEqual({ a: 'f 600 mine =a', b: 'f 600 mine =a', s: 'l a' });
  });

  it('follows no symlink that the user put in the place of a directory', async () => {
    const outside = toText(at('outside'));
    mkdirSync(outside);
    const { passed } = await replayed({
      base: { 'd/': '', 'd/x': '1' },
      user: (root) => {
        rmSync(join(root, 'd'), { recursive: true });
        symlinkSync(outside, join(root, 'd'));
      },
      update: (base) => {
        base.write('d/new', 'theirs');
        base.write('d/x', '2');
        base.mkdir('d/sub');
      },
    });
    expect(pictureOf(outside)).toEqual({});
    expect(passed).toEqual(['d/new', 'd/sub', 'd/x']);
  });

  it('refuses a journal that does not fit', async () => {
    const wrong = replayed({
      base: {},
      update: (base) => {
        base.write('x', '1');
        base.operations.push({ operation: 'unlink', path: fromText('nowhere') });
      },
    });
    await expect(wrong).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' });
  });
});
