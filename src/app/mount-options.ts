import { display, toText } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { absolutePath } from '../platform/command-line.js';
import type { BytePath } from '../base/bytes.js';
import type { EngineWish, MountOptions } from './containers.js';

/*
 * What mount(8) and /etc/fstab say of a container: fstab(5), mount(8), "External helpers".
 */

/** A container to be mounted, as a line of fstab or the words of mount(8) have it. */
export interface MountWords {
  readonly container: string;
  readonly directory: BytePath;
  /** What `store=` names, or undefined. */
  readonly store: string | undefined;
  readonly options: MountOptions;
  /** Whether it may fail. */
  readonly mayFail: boolean;
  /** Not to be mounted with all others. */
  readonly byHandOnly: boolean;
}

interface OptionRow {
  readonly term: string;
  readonly text: string;
}

/** For the manual. */
export const mountOptionRows: readonly OptionRow[] = [
  { term: 'ro, rw', text: 'mount it read-only, or writable (default)' },
  { term: 'store=DIR', text: "the store of the container (default: root's, /var/lib/lamina). A comma cannot be in it" },
  { term: 'engine=fuse|kernel|auto', text: 'what mounts it (default: lamina settings)' },
  { term: 'mode=stateless|passthrough', text: 'how files are opened (default: stateless)' },
  {
    term: 'allow_suid, allow_dev',
    text: "let the container's set-user-ID programs, or its device nodes, work on this host",
  },
  { term: 'noexec, exec', text: 'let nothing in it be run, or what may be (default); user and users imply noexec' },
  { term: 'nofail, noauto, x-…, _netdev', text: 'are for mount(8) and systemd; they change nothing here' },
];

type Change = (value: string) => Partial<MountOptions>;

const plain: Readonly<Record<string, Partial<MountOptions>>> = {
  ro: { readOnly: true },
  rw: { readOnly: false },
  allow_suid: { suid: true },
  nosuid: { suid: false },
  allow_dev: { dev: true },
  nodev: { dev: false },
  exec: { noExec: false },
  // mount(8), and for users "unless overridden by subsequent options".
  ...Object.fromEntries(['noexec', 'user', 'users'].map((each) => [each, { noExec: true }])),
};

const oneOf = <T extends string>(name: string, words: readonly T[], value: string): T => {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw usage(`${name}=${value}: not a choice`, { hint: `give ${name}= one of ${words.join(', ')}` });
};

const valued: Readonly<Record<string, Change>> = {
  engine: (value) => ({ engine: oneOf<EngineWish>('engine', ['fuse', 'kernel', 'auto'], value) }),
  mode: (value) => ({ mode: oneOf<'stateless' | 'passthrough'>('mode', ['stateless', 'passthrough'], value) }),
};

/** What others read, or what is so in any case. */
const ignored = new Set(
  `defaults auto noauto nofail _netdev nouser owner group relatime noatime strictatime nodiratime async suid dev
   sync dirsync nolazytime lazytime silent loud`.split(/\s+/),
);
const isIgnored = (option: string) => ignored.has(option) || /^(x-|X-|comment=|uhelper=|helper=)/.test(option);

/**
 * @param text as the fourth field of fstab, `ro,store=/srv/store`
 * @param isSloppy options that are not known are left out
 * @throws LaminaError usage: an option that is not known, or that a container's mount cannot have
 */
export function mountWords(container: string, directory: string, text: string, isSloppy = false): MountWords {
  let options: MountOptions = {};
  let store: string | undefined;
  const given = text.split(',').filter((option) => option !== '');
  for (const option of given) {
    const [name = '', value] = option.split(/=(.*)/s);
    if (name === 'store' && value !== undefined && value !== '') store = value;
    else if (value === undefined && Object.hasOwn(plain, name)) options = { ...options, ...plain[name] };
    else if (value !== undefined && Object.hasOwn(valued, name)) options = { ...options, ...valued[name]?.(value) };
    else if (!isIgnored(option) && !isSloppy) throw unknown(option);
  }
  return {
    container,
    directory: absolutePath(directory),
    store,
    options,
    mayFail: given.includes('nofail'),
    byHandOnly: given.includes('noauto'),
  };
}

function unknown(option: string): Error {
  if (option === 'remount')
    return usage('a container cannot be remounted', { hint: 'unmount it, and mount it again with other options' });
  return usage(`a container has no mount option '${display(option)}'`, {
    hint: 'leave it out; mount.lamina(8) lists the options',
  });
}

/** The words that mount(8) gives a helper: SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]. */
export function helperWords(words: readonly string[]): MountWords & { readonly isFake: boolean } {
  const operands: string[] = [];
  const options: string[] = [];
  let [isFake, isSloppy] = [false, false];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (word === '-o') options.push(words[++at] ?? '');
    else if (word === '-t') at += 1;
    else if (/^-[sfnvrw]+$/.test(word)) {
      isFake ||= word.includes('f');
      isSloppy ||= word.includes('s');
      if (word.includes('r')) options.push('ro');
    } else if (word.startsWith('-') && word !== '-')
      throw usage(`mount.lamina does not know ${word}`, { hint: 'see mount.lamina(8)' });
    else operands.push(word);
  }
  const [container, directory, ...more] = operands;
  if (container === undefined || container === '' || directory === undefined || directory === '' || more.length > 0)
    throw usage('mount.lamina takes a container and a directory', {
      hint: 'mount -t lamina CONTAINER DIR [-o OPTIONS]',
    });
  return { ...mountWords(container, directory, options.join(','), isSloppy), isFake };
}

/** A line of type `lamina`, and its number in the file. */
export interface FstabLine {
  readonly number: number;
  readonly container: string;
  readonly directory: string;
  readonly options: string;
}

/** The containers that a fstab names, in its order: fstab(5). */
export function fstabLines(text: BytePath): FstabLine[] {
  return text.split('\n').flatMap((line, index) => {
    // Not trim(): the bytes of a name may be what it takes for spaces.
    const fields = line.split(/[ \t]+/).filter((field) => field !== '');
    const [container = '', directory = '', type, options = ''] = fields;
    if (container.startsWith('#') || type !== 'lamina') return [];
    const [name, path, words] = [container, directory, options].map(unescaped);
    return [{ number: index + 1, container: name ?? '', directory: path ?? '', options: words ?? '' }];
  });
}

/** Spaces, tabs and backslashes are three octal digits. */
const unescaped = (field: string): string =>
  toText(
    field.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    ) as BytePath,
  );
