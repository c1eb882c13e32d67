import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBelow, isBytesText } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { follow } from '../../../src/sandbox/root/follow.js';
import { planSandbox } from '../../../src/sandbox/root/plan.js';
import type { RootEntry, RootReader } from '../../../src/sandbox/root/reader.js';
import { setupRecords } from '../../../src/sandbox/setup.js';
import { userOf } from '../../../src/sandbox/user.js';
import type { SandboxUser } from '../../../src/sandbox/user.js';
import { cases, changed, outcomeOf, repetitive, valueOf } from '../../support/untrusted.js';

/** A root of these files (content) and symlinks (target), with their directories. */
class MemoryRoot implements RootReader {
  readonly #entries = new Map<string, RootEntry>([['', { type: 'directory', target: '' }]]);

  constructor(
    readonly files: Readonly<Record<string, Buffer>>,
    links: Readonly<Record<string, string>> = {},
    directories: readonly string[] = [],
  ) {
    for (const path of [...Object.keys(files), ...Object.keys(links), ...directories])
      for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1))
        this.#entries.set(path.slice(0, at), { type: 'directory', target: '' });
    for (const path of directories) this.#entries.set(path, { type: 'directory', target: '' });
    for (const path of Object.keys(files)) this.#entries.set(path, { type: 'file', target: '' });
    for (const [path, target] of Object.entries(links)) this.#entries.set(path, { type: 'symlink', target });
  }

  entry(path: BytePath): RootEntry | undefined {
    return this.#entries.get(path);
  }

  names(directory: BytePath): readonly string[] {
    const prefix = directory === '' ? '' : `${directory}/`;
    const below = [...this.#entries.keys()].filter((path) => path !== '' && path.startsWith(prefix));
    return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))]
      .filter((name) => name !== '')
      .sort();
  }

  read(path: BytePath, most: number): Buffer | undefined {
    const bytes = this.files[path];
    return bytes === undefined || bytes.length > most ? undefined : bytes;
  }
}

const passwd = Buffer.from(
  'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App,,,:/srv/app:/bin/sh\nodd:x:4294967294:7::/é:/bin/false\n',
);
const group = Buffer.from('root:x:0:\napp:x:1001:\nstaff:x:50:app,odd\ndisk:x:6:app\n');
const tmpfiles = Buffer.from(
  '# comment\nd /run/app 0755 app app -\nD! /run/lock/x 1777 root root 10d\nd /tmp/.X11-unix 1777\nq /var/run/old 755 0 50\nL /run/link - - - - x\nf /run/file 644 root root - content\n',
);
const tokens = [
  ':',
  '\n',
  '\0',
  ',',
  'app',
  '0',
  '4294967295',
  '99999999999',
  '-',
  '..',
  '/',
  '/run/',
  '%t/',
  '"',
  'd ',
  '\xff',
  ' ',
  '\t',
  'capability\x0021\0',
  'root\0/\0',
];
const changedFile = (seed: Buffer) =>
  fc.oneof(
    fc.constant(seed),
    changed(tokens).map((edit) => edit(seed)),
    changed(tokens).map((edit) => edit(seed)),
  );
const roots = fc
  .record({ passwd: changedFile(passwd), group: changedFile(group), tmpfiles: changedFile(tmpfiles) })
  .map(
    (files) =>
      new MemoryRoot(
        { 'etc/passwd': files.passwd, 'etc/group': files.group, 'usr/lib/tmpfiles.d/a.conf': files.tmpfiles },
        {},
        ['run', 'tmp', 'proc', 'dev'],
      ),
  );

const isId = (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 32 - 1;

/** The words that lamina-sandbox reads, each with as many fields as it has (native/sandbox/spec.cc). */
const fieldsOf: Readonly<Record<string, number>> = {
  root: 1,
  place: 3,
  shm: 1,
  show: 2,
  cover: 2,
  directory: 4,
  file: 2,
  'host-name': 1,
  'working-directory': 1,
  set: 1,
  capability: 1,
  'keep-capability': 1,
  limit: 3,
  processes: 2,
  memory: 2,
  processors: 2,
  user: 2,
  group: 1,
  'own-users': 1,
  'host-network': 0,
  'gains-privileges': 0,
  input: 0,
  terminal: 0,
};

function recordsIn(records: Buffer): string[][] {
  const fields = records.toString('latin1').split('\0').slice(0, -1);
  const found: string[][] = [];
  for (let at = 0; at < fields.length;) {
    const count = fieldsOf[fields[at] ?? ''];
    if (count === undefined) throw new Error(`no word: ${String(fields[at])}`);
    found.push(fields.slice(at, (at += 1 + count)));
  }
  return found;
}

function setupFor(root: RootReader, user: SandboxUser | undefined) {
  const plan = planSandbox(root, { network: false });
  const environment: Record<string, string> = user === undefined ? {} : { HOME: user.home, USER: user.name };
  return {
    ...{
      root: '/mnt' as BytePath,
      plan,
      hostName: 'lamina',
      network: false,
      resolver: undefined,
      workingDirectory: undefined,
      shown: new Map(),
    },
    ...{ environment, limits: {}, privileges: { user }, users: 'auto' as const, input: 'none' as const },
  };
}

describe('the passwd, group and tmpfiles.d of any root', () => {
  it('give a sandbox numbers, and no word that nobody asked for', async () => {
    const given = fc.constantFrom('app', 'odd', 'root', '1000', '0', 'app:staff', '7:50', '4294967294', 'nobody');
    await fc.assert(
      fc.asyncProperty(roots, given, async (root, wanted) => {
        const user = valueOf(await outcomeOf(() => userOf(root, wanted, [])), 'the container has no');
        if (user === undefined) return;
        expect([user.uid, user.gid, ...user.groups].every(isId)).toBe(true);
        expect(isBytesText(user.name) && isBytesText(user.home)).toBe(true);
        const words = (records: readonly string[][]) =>
          records.map(([word]) => word).filter((word) => word !== 'group' && word !== 'user');
        const plain = recordsIn(
          setupRecords(setupFor(root, { uid: user.uid, gid: user.gid, groups: [], name: '', home: '' })),
        );
        expect(words(recordsIn(setupRecords(setupFor(root, user))))).toEqual(words(plain));
      }),
      cases(1500),
    );
  });

  it('ask for directories below /run and /tmp only, within bounds', async () => {
    await fc.assert(
      fc.asyncProperty(roots, async (root) => {
        const outcome = await outcomeOf(() => planSandbox(root, { network: true }));
        if (!('value' in outcome)) throw outcome.error;
        const { directories } = outcome.value;
        expect(directories.length).toBeLessThanOrEqual(512 * 12);
        for (const { path, mode, uid, gid } of directories) {
          expect(isBelow(path, 'run' as BytePath) || isBelow(path, 'tmp' as BytePath)).toBe(true);
          expect(
            path.split('/').some((name) => name === '' || name === '.' || name === '..' || name.includes('\0')),
          ).toBe(false);
          expect(isId(uid) && isId(gid) && mode >= 0 && mode <= 0o7777).toBe(true);
        }
      }),
      cases(1000),
    );
  });

  it('take time in proportion to their length', async () => {
    const lines = ['d /run/a', 'd /run/', ' ', '\t', '"', ':', ',', '\n', 'app:x:1:1::/:\n', 'a/', '%t', '0', '/'];
    await fc.assert(
      fc.asyncProperty(repetitive(lines, 250_000), async (text) => {
        const bytes = Buffer.from(text, 'latin1');
        const root = new MemoryRoot({ 'etc/passwd': bytes, 'etc/group': bytes, 'usr/lib/tmpfiles.d/a.conf': bytes });
        await outcomeOf(() => planSandbox(root, { network: true }));
        await outcomeOf(() => userOf(root, 'app', []));
      }),
      cases(25, 'large'),
    );
  });
});

describe('a path of any root', () => {
  const link = fc
    .array(fc.constantFrom('.', '..', 'a', 'b', 'c', 'd', 'a/b', '/', 'run', 'none'), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join('/'));
  const names = fc.constantFrom('a', 'b', 'c', 'd', 'run', 'a/b', 'd/a');

  it('leads to a path without symlinks inside it, as one component after the other says', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(names, link, { maxKeys: 5 }),
        link,
        fc.subarray(['run', 'a'] as BytePath[]),
        async (links, path, covered) => {
          const root = new MemoryRoot({ 'd/file': Buffer.alloc(0) }, links, ['d/a/b']);
          const outcome = await outcomeOf(() => follow(root, path, covered));
          if (!('value' in outcome)) throw outcome.error;
          const resolved = outcome.value;
          expect(resolved).toEqual(plainly(root, path, covered));
          if (resolved.kind !== 'nowhere')
            expect(resolved.path.split('/').some((name) => name === '.' || name === '..')).toBe(false);
        },
      ),
      cases(3000),
    );
  });

  it('takes time in proportion to what the symlinks say', async () => {
    const long = fc.tuple(repetitive(['./', 'd/../'], 4000), fc.boolean());
    await fc.assert(
      fc.asyncProperty(long, async ([text, first]) => {
        // Each leads to the next, which is the first or the last name that it says.
        const target = (number: number) =>
          (first ? `l${String(number)}/${text}` : `${text}l${String(number)}`).slice(0, 4096);
        const links = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`l${String(i)}`, target(i + 1)]));
        const root = new MemoryRoot({}, { ...links, l30: 'd' }, ['d']);
        await outcomeOf(() => follow(root, 'l0'));
      }),
      cases(8, 'large'),
    );
  });
});

/** The same by recursion: the rest of a path is walked from where its first component leads. */
function plainly(root: RootReader, path: string, covered: readonly BytePath[]): unknown {
  let links = 0;
  const walk = (at: readonly string[], rest: readonly string[], missing: boolean): unknown => {
    const here = at.join('/') as BytePath;
    const [name, ...others] = rest.filter((each) => each !== '' && each !== '.');
    if (covered.includes(here)) {
      const below = name === undefined ? [] : [name, ...others];
      return below.includes('..')
        ? { kind: 'nowhere' }
        : { kind: 'covered', path: [here, ...below].join('/'), by: here };
    }
    const entry = missing ? undefined : root.entry(here);
    if (name === undefined)
      return entry === undefined ? { kind: 'absent', path: here } : { kind: 'found', path: here, entry };
    if (entry !== undefined && entry.type !== 'directory') return { kind: 'nowhere' };
    if (name === '..') return entry === undefined ? { kind: 'nowhere' } : walk(at.slice(0, -1), others, false);
    const next = [...at, name];
    const isCovered = covered.includes(next.join('/') as BytePath);
    const found = entry === undefined || isCovered ? undefined : root.entry(next.join('/') as BytePath);
    if (found?.type !== 'symlink') return walk(next, others, found === undefined);
    if (++links > 40) return { kind: 'nowhere' };
    return walk(found.target.startsWith('/') ? [] : at, [...found.target.split('/'), ...others], false);
  };
  return walk([], path.split('/'), false);
}
