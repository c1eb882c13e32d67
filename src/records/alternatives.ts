import { bytesOf, mergeKeyed, pick, putOnce, textOf } from './keyed.js';
import { Clash, OtherFormat, quoted } from './outcome.js';
import type { Versions } from './outcome.js';

/** What update-alternatives(1) knows of one link. */
interface Alternatives {
  readonly mode: string;
  readonly link: string;
  /** Links that follow it, by name. */
  readonly slaves: ReadonlyMap<string, string>;
  /** By the path of each choice: its priority, and the paths for the slaves, by name. */
  readonly choices: ReadonlyMap<string, { readonly priority: string; readonly slaves: ReadonlyMap<string, string> }>;
}

/**
 * A file of dpkg's alternatives: the choices of both sides.
 * @returns the content, and whether update-alternatives is to choose among them
 * @throws Clash, OtherFormat
 */
export function mergeAlternatives({ base, ours, theirs }: Versions): { content: Uint8Array; isAuto: boolean } {
  const [o, t] = [parse(textOf(ours)), parse(textOf(theirs))];
  const b = base === undefined ? { ...o, slaves: new Map(), choices: new Map() } : parse(textOf(base));
  if (o.link !== t.link)
    throw new Clash(`the link is ${quoted(o.link)} in the container and ${quoted(t.link)} in the update`);
  const mode = pick(b.mode, o.mode, t.mode, () => o.mode);
  const slaves = mergeKeyed(b.slaves, o.slaves, t.slaves, (_name, _base, own) => own);
  const names = [...slaves.keys()].sort();
  const choices = mergeKeyed(rows(b, names), rows(o, names), rows(t, names), (path) => {
    throw new Clash(`the choice ${quoted(path)} has two versions`);
  });
  const head = [mode, o.link, ...names.flatMap((name) => [name, slaves.get(name) ?? '']), ''];
  const text = [...head, ...[...choices].flatMap(([path, row]) => [path, row]), '', ''].join('\n');
  return { content: bytesOf(text), isAuto: mode === 'auto' };
}

function rows({ choices }: Alternatives, names: readonly string[]): Map<string, string> {
  return new Map(
    [...choices].map(([path, { priority, slaves }]) => [
      path,
      [priority, ...names.map((name) => slaves.get(name) ?? '')].join('\n'),
    ]),
  );
}

function parse(text: string): Alternatives {
  const lines = text.split('\n');
  const end = lines.indexOf('', 2);
  const [mode = '', link = '', ...rest] = lines.slice(0, end);
  if (end < 2 || rest.length % 2 !== 0 || !/^(?:auto|manual)$/.test(mode)) throw new OtherFormat('it has no head');
  const slaves = new Map<string, string>();
  for (let at = 0; at < rest.length; at += 2) putOnce(slaves, rest[at] ?? '', rest[at + 1] ?? '');
  const names = [...slaves.keys()];
  const choices = new Map<string, Alternatives['choices'] extends ReadonlyMap<string, infer T> ? T : never>();
  for (let at = end + 1; (lines[at] ?? '') !== ''; at += 2 + names.length) {
    const [path = '', priority = '', ...paths] = lines.slice(at, at + 2 + names.length);
    if (!/^-?\d+$/.test(priority) || choices.has(path)) throw new OtherFormat('a choice is malformed');
    choices.set(path, { priority, slaves: new Map(names.map((name, i) => [name, paths[i] ?? ''])) });
  }
  return { mode, link, slaves, choices };
}
