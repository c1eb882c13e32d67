import { World } from './lamina.js';
import { Layout, layerOf } from './layouts.js';
import type { Layer } from './layouts.js';
import type { Member } from './tar-writer.js';

export interface Base {
  readonly name: string;
  readonly head: string;
  readonly layers: readonly string[];
  readonly image: { readonly manifestDigest: string | null; readonly platform: string };
}

export const directory = (name: string, more: Partial<Member> = {}): Member => ({ name, type: '5', ...more });
export const file = (name: string, content: string, more: Partial<Member> = {}): Member => ({ name, content, ...more });
export const link = (name: string, linkname: string): Member => ({ name, type: '1', linkname });
export const symlink = (name: string, linkname: string): Member => ({ name, type: '2', linkname });
export const whiteout = (name: string): Member => ({ name });
const capability = Buffer.from('0100000202200000000000000000000000000000', 'hex');

/** Everything that a layer may hold, and what those above make of it. */
export const lowest = layerOf([
  directory('./', { mtime: 1_600_000_000 }),
  file('a', 'A', { mode: 0o4755, uid: 7, gid: 8 }),
  directory('d', { mode: 0o750, uid: 5, mtime: 1_500_000_000 }),
  file('d/x', 'X'),
  file('d/y', 'Y', {
    pax: [
      ['SCHILY.xattr.user.k', 'v'],
      ['mtime', '1600000000.123456789'],
    ],
  }),
  file('capable', 'x', { pax: [['SCHILY.xattr.security.capability', capability]] }),
  file('h1', 'hard'),
  link('h2', 'h1'),
  directory('dir'),
  file('dir/q', 'q'),
  directory('opaque', { mode: 0o711 }),
  file('opaque/1', '1'),
  directory('opaque/deep'),
  file('opaque/deep/2', '2'),
  file('gone', 'gone'),
  directory('becomes-link'),
  file('becomes-link/z', 'z'),
  symlink('becomes-directory', 'd'),
  directory('made-anew', { mode: 0o700 }),
  file('made-anew/old', 'old'),
  { name: 'null', type: '3', major: 1, minor: 3 },
  { name: 'fifo', type: '6' },
  file(`long/${'n'.repeat(150)}`.slice(0, 100), 'long', { pax: [['path', `long/${'n'.repeat(180)}`]] }),
  file('twice', 'first'),
  file('twice', 'second'),
]);
export const middle = layerOf([
  file('opaque/3', '3'),
  whiteout('.wh.gone'),
  file('d/x', 'X2'),
  link('h3', 'h1'),
  whiteout('opaque/.wh..wh..opq'),
  file('opaque/4', '4'),
  whiteout('.wh.notthere'),
  whiteout('nowhere/.wh.x'),
  whiteout('dir/.wh.q'),
  symlink('becomes-link', 'd'),
  directory('becomes-directory', { mode: 0o701 }),
  file('becomes-directory/w', 'w'),
  whiteout('.wh.made-anew'),
  directory('made-anew', { mode: 0o755 }),
  file('made-anew/new', 'new'),
]);
export const topmost = layerOf([
  directory('d', { mode: 0o700, mtime: 1_400_000_000 }),
  link('a2', 'a'),
  file('top', 't'),
]);

/** A store, and a layout from which images are imported into it. */
export class ImageWorld {
  readonly world = new World('images');
  readonly layout = new Layout(this.world.path('layout'));
  #number = 0;

  readonly fresh = (): string => `i${String(++this.#number)}`;

  readonly imported = async (source: string, ...options: string[]): Promise<Base> =>
    this.world.json<Base>('base', 'import', this.fresh(), source, ...options);

  readonly removed = async ({ name }: Base): Promise<string> => this.world.run('base', 'remove', name);

  readonly named = (layers: readonly Layer[], options = {}): string =>
    this.layout.name(this.fresh(), this.layout.image(layers, options));

  /** What `look` sees in the root of a container on the base. */
  async looked<T>(base: Base, look: (root: string) => T): Promise<T> {
    await this.world.run('create', base.name, '--base', base.name);
    try {
      return await this.world.mounted(base.name, look);
    } finally {
      await this.world.run('remove', base.name);
    }
  }
}
