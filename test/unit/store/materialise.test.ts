import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { fromText, join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { LaminaError } from '../../../src/base/errors.js';
import { MemoryListing, View, computeDelta, covered, makeEntry } from '../../../src/changeset/index.js';
import type { Entry, PlanOperation, TreePlan } from '../../../src/changeset/index.js';
import { getXattrSync, setXattrSync } from '../../../src/platform/native.js';
import { removeTree } from '../../../src/platform/walk.js';
import { syncTree } from '../../../src/platform/durable.js';
import { materialise } from '../../../src/store/materialise.js';

const isRoot = process.getuid?.() === 0;
const root = fromText(mkdtempSync(`${tmpdir()}/lamina-materialise-`));
afterAll(() => {
  removeTree(root);
});

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const p = (path: string) => path as BytePath;
let last = 0;

/** A fresh name for a tree, and the directory that plans copy from. */
function fresh(): BytePath {
  return join(root, `tree${++last}`);
}

function source(files: Record<string, string | Buffer>): BytePath {
  const tree = fresh();
  mkdirSync(toBuffer(tree));
  for (const [name, content] of Object.entries(files)) writeFileSync(toBuffer(join(tree, name)), content);
  return tree;
}

function entry(fields: Partial<Entry>): Entry {
  return makeEntry({ uid, gid, mtimeNs: 1_600_000_000_123_456_789n, path: '', ...fields });
}

const directory = (path: string, fields: Partial<Entry> = {}, opaque = false): PlanOperation => ({
  kind: 'directory',
  path: p(path),
  attributes: entry({ type: 'directory', ...fields }),
  opaque,
});
const file = (path: string, from: string, fields: Partial<Entry> = {}): PlanOperation => ({
  kind: 'file',
  path: p(path),
  attributes: entry(fields),
  source: { layer: 0, path: p(from) },
});

function plan(operations: PlanOperation[], fields: Partial<Entry> = {}): TreePlan {
  return { root: entry({ type: 'directory', ...fields }), changesRoot: true, operations };
}

async function made(operations: PlanOperation[], from: BytePath = source({})): Promise<(path: string) => BytePath> {
  const tree = fresh();
  await materialise({ plan: plan(operations), tree, sources: [from], marks: isRoot ? 'trusted' : 'user' });
  return (path) => join(tree, path);
}

const stat = (path: BytePath) => lstatSync(toBuffer(path), { bigint: true });
const mark = (path: BytePath, name: string) =>
  getXattrSync(path, `${isRoot ? 'trusted' : 'user'}.overlay.${name}`)?.toString();

describe('a materialised tree', () => {
  it('has content, modes, times and xattrs as planned', async () => {
    const from = source({ a: 'hello', empty: '' });
    const xattrs = new Map([['user.binary', new Uint8Array([0, 255, 10])]]);
    const at = await made(
      [
        directory('d', { mode: 0o500, xattrs }),
        file('d/a', 'a', { size: 5, mode: 0o4750, xattrs }),
        file('d/empty', 'empty', { mode: 0 }),
        {
          kind: 'symlink',
          path: p('d/link'),
          attributes: entry({ type: 'symlink', mode: 0o777, target: '/nowhere\xff' }),
          target: '/nowhere\xff',
        },
        { kind: 'node', path: p('fifo'), attributes: entry({ type: 'fifo', mode: 0o666 }) },
        { kind: 'node', path: p('socket'), attributes: entry({ type: 'socket', mode: 0o600 }) },
      ],
      from,
    );
    expect(readFileSync(toBuffer(at('d/a')), 'utf8')).toBe('hello');
    expect(stat(at('d')).mode & 0o7777n).toBe(0o500n);
    expect(stat(at('d/a')).mode & 0o7777n).toBe(0o4750n);
    expect(stat(at('d/empty')).mode & 0o7777n).toBe(0n);
    expect(stat(at('fifo'))).toMatchObject({ mode: BigInt(0o010666) });
    expect(stat(at('socket')).isSocket()).toBe(true);
    expect(readlinkSync(toBuffer(at('d/link')), { encoding: 'latin1' })).toBe('/nowhere\xff');
    for (const path of ['', 'd', 'd/a', 'd/empty', 'd/link', 'fifo', 'socket']) {
      expect([path, stat(at(path)).mtimeNs]).toEqual([path, 1_600_000_000_123_456_789n]);
    }
    for (const path of ['d', 'd/a']) expect(getXattrSync(at(path), 'user.binary')).toEqual(Buffer.from([0, 255, 10]));
  });

  it('links names and keeps holes', async () => {
    const from = source({ sparse: 'begin' });
    truncateSync(toBuffer(join(from, 'sparse')), 8 << 20);
    const size = 8 << 20;
    const at = await made([file('a', 'sparse', { size }), { kind: 'link', path: p('b'), to: p('a') }], from);
    expect(stat(at('b')).ino).toBe(stat(at('a')).ino);
    expect(stat(at('a')).nlink).toBe(2n);
    expect(stat(at('a')).size).toBe(BigInt(size));
    expect(stat(at('a')).blocks * 512n).toBeLessThan(1n << 20n);
  });

  it('hides by whiteouts and opaque directories', async () => {
    const at = await made([directory('d', {}, true), { kind: 'whiteout', path: p('gone') }]);
    expect(mark(at('d'), 'opaque')).toBe('y');
    expect(stat(at('gone'))).toMatchObject({ rdev: 0n });
    expect(stat(at('gone')).isCharacterDevice()).toBe(true);
  });

  it('hides by xattrs where devices cannot be', async () => {
    const tree = fresh();
    const operations: PlanOperation[] = [directory('d'), { kind: 'whiteout', path: p('d/gone') }];
    await materialise({ plan: plan(operations), tree, sources: [], marks: 'user', whiteouts: 'xattr' });
    expect(stat(join(tree, 'd/gone'))).toMatchObject({ size: 0n });
    expect(getXattrSync(join(tree, 'd/gone'), 'user.overlay.whiteout')).toBeDefined();
    expect(getXattrSync(join(tree, 'd'), 'user.overlay.opaque')?.toString()).toBe('x');
  });

  it('may hold names of any bytes and paths beyond PATH_MAX', async () => {
    const name = '\xff\n'.repeat(120);
    const operations: PlanOperation[] = [];
    let path = '';
    for (let i = 0; i < 20; i++) operations.push(directory((path += (path === '' ? '' : '/') + name)));
    operations.push(file(`${path}/a`, 'a', { size: 5 }), { kind: 'link', path: p(`${path}/b`), to: p(`${path}/a`) });
    expect(path.length).toBeGreaterThan(4700);
    const at = await made(operations, source({ a: 'hello' }));
    const found = execFileSync('find', ['.', '-name', '[ab]', '-size', '5c', '-links', '2'], {
      cwd: toBuffer(at('')).toString(),
    });
    expect(found.toString('latin1').split(`${name}/`).length).toBe(41);
  });

  it('can be synced', async () => {
    const at = await made([]);
    await expect(syncTree(at(''))).resolves.toBeUndefined();
  });

  it.skipIf(!isRoot)('has owners, devices and capabilities as planned (needs root)', async () => {
    const capability = new Uint8Array([1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const xattrs = new Map([['security.capability', capability]]);
    const at = await made(
      [
        file('a', 'a', { size: 1, uid: 1234, gid: 4321, mode: 0o6755, xattrs }),
        directory('d', { uid: 5, gid: 6, mode: 0o2770 }),
        {
          kind: 'node',
          path: p('d/null'),
          attributes: entry({ type: 'character', mode: 0o666, rdevMajor: 1, rdevMinor: 3, uid: 7, gid: 8 }),
        },
        {
          kind: 'symlink',
          path: p('l'),
          attributes: entry({ type: 'symlink', uid: 9, gid: 10, target: 'a' }),
          target: 'a',
        },
      ],
      source({ a: 'x' }),
    );
    expect(stat(at('a'))).toMatchObject({ uid: 1234n, gid: 4321n, mode: BigInt(0o106755) });
    expect(Buffer.from(capability).equals(getXattrSync(at('a'), 'security.capability')!)).toBe(true);
    expect(stat(at('d'))).toMatchObject({ uid: 5n, gid: 6n, mode: BigInt(0o042770) });
    expect(stat(at('d/null'))).toMatchObject({ uid: 7n, gid: 8n, mode: BigInt(0o020666), rdev: 0x103n });
    expect(stat(at('l'))).toMatchObject({ uid: 9n, gid: 10n });
  });
});

describe('a tree that cannot be made', () => {
  async function failure(operations: PlanOperation[], from: BytePath): Promise<LaminaError> {
    const tree = fresh();
    const error: unknown = await materialise({ plan: plan(operations), tree, sources: [from], marks: 'user' }).catch(
      (thrown: unknown) => thrown,
    );
    expect(existsSync(toBuffer(tree))).toBe(false);
    if (!(error instanceof LaminaError)) throw new Error('no LaminaError', { cause: error });
    return error;
  }

  it('names the path and leaves nothing', async () => {
    const error = await failure([directory('d'), file('d/a', 'missing', { size: 1 })], source({}));
    expect(error.message).toMatch(/cannot write d\/a of .*ENOENT/);
    expect(error.exitCode).toBe(1);
  });

  it('finds a source that has changed', async () => {
    const error = await failure([file('a', 'a', { size: 4 })], source({ a: 'hello' }));
    expect(error).toMatchObject({ exitCode: 5, code: 'SOURCE_CHANGED' });
  });

  it('follows no symlink', async () => {
    const from = source({});
    symlinkSync('/etc/passwd', toBuffer(join(from, 'a')));
    expect((await failure([file('a', 'a', { size: 1 })], from)).message).toMatch(/ELOOP/);
  });

  it('does not touch what is there already', async () => {
    const tree = source({ mine: 'x' });
    await expect(materialise({ plan: plan([]), tree, sources: [], marks: 'user' })).rejects.toThrow(/EEXIST/);
    expect(readdirSync(toBuffer(tree))).toEqual(['mine']);
  });
});

describe('the kernel', () => {
  /** The listing of a small directory, as a scan would have it. */
  function scan(tree: BytePath): MemoryListing {
    const lines = execFileSync('find', ['.', '-printf', '%P\\t%y\\t%m\\t%s\\t%i\\t%n\\n'], {
      cwd: toBuffer(tree).toString(),
    });
    const entries = lines
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Entry => {
        const [path = '', type, mode = '', size, ino, links] = line.split('\t');
        const at = join(tree, path);
        const fields = { path: p(path), mode: parseInt(mode, 8), uid, gid };
        if (type === 'd') return makeEntry({ ...fields, type: 'directory', opaque: mark(at, 'opaque') === 'y' });
        if (type === 'c') return makeEntry({ ...fields, type: 'whiteout' });
        const contentHash = BigInt(readFileSync(toBuffer(at)).reduce((sum, byte) => sum * 31 + byte, 7));
        return makeEntry({ ...fields, size: Number(size), contentHash, group: Number(links) > 1 ? Number(ino) : -1 });
      });
    return new MemoryListing(entries);
  }

  /** What a kernel mount of these trees shows, newest first. */
  function shown(trees: BytePath[]): string {
    const script =
      'mount -t overlay overlay -o "lowerdir=$1" "$2" && cd "$2" && find . -printf "%p %y %m %n\\n" -type f -exec cat {} + | sort';
    const mountpoint = fresh();
    mkdirSync(toBuffer(mountpoint));
    const args = ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', trees.join(':'), mountpoint];
    return execFileSync('timeout', ['20', ...args], { encoding: 'latin1' });
  }

  function build(files: Record<string, string>, links: Record<string, string> = {}): BytePath {
    const tree = source({});
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(toBuffer(join(tree, path.slice(0, path.lastIndexOf('/') + 1))), { recursive: true });
      if (!path.endsWith('/')) writeFileSync(toBuffer(join(tree, path)), content);
    }
    for (const [path, to] of Object.entries(links)) linkSync(toBuffer(join(tree, to)), toBuffer(join(tree, path)));
    return tree;
  }

  it.skipIf(!isRoot)('shows the target through what was written (needs root)', async () => {
    const l = build(
      { 'etc/conf': 'one', 'etc/keep': 'two', 'bin/a': 'tool', 'lib/1': '', 'lib/2': '', 'lib/3': '', 'old/x': 'x' },
      { 'bin/b': 'bin/a', 'bin/c': 'bin/a' },
    );
    const w = build({
      'etc/conf': 'changed',
      'etc/keep': 'two',
      'lib/only': 'new',
      'bin/c': 'own',
      'add/deep/file': 'f',
    });
    chmodSync(toBuffer(join(w, 'etc')), 0o700);
    setXattrSync(join(w, 'lib'), 'trusted.overlay.opaque', Buffer.from('y'));
    execFileSync('mknod', [join(w, 'old'), 'c', '0', '0']);
    const target = new View([scan(w), scan(l)]);
    const base = new View([scan(l)]);
    const delta = computeDelta({ target, base, covered: covered(target, base, [target.stack[0]!]) });
    expect(delta.operations.map(({ kind, path }) => `${kind} ${path}`)).not.toContain('file etc/keep');
    const tree = fresh();
    await materialise({ plan: delta, tree, sources: [w, l], marks: 'trusted' });
    expect(shown([tree, l])).toBe(shown([w, l]));
    expect(shown([w, l])).toContain('./add/deep/file f 644 1');
  });
});
