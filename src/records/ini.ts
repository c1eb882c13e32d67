import { bytesOf, linesOf, mergeKeyed, pick, putOnce, textOf, textOfLines } from './keyed.js';
import type { MergeRecord, Records } from './keyed.js';
import { Clash, OtherFormat, quoted } from './outcome.js';
import type { Versions } from './outcome.js';

/** Lines of settings by section and key, and for each the comments and blank lines before it. */
interface Settings {
  readonly lines: Records;
  readonly comments: Records;
}

/** What comes after the last setting: a key that no line has. */
const end = '\n';

/**
 * Files of `KEY=VALUE` in `[section]`s, or without any. Comments stay with the setting that they precede.
 * @throws Clash; OtherFormat: a line is neither, or a key occurs twice in a section, where the order may count
 */
export function mergeIni({ base, ours, theirs }: Versions): Uint8Array {
  const [b, o, t] = [parse(textOf(base)), parse(textOf(ours)), parse(textOf(theirs))];
  const lines = mergeKeyed(b.lines, o.lines, t.lines, mergeLine);
  const text = textOfLines(
    [...lines].flatMap(([key, line]) => [...commentsOf(key, [b, o, t]), ...(key === end ? [] : [line])]),
  );
  if (!sameLines(parse(text).lines, lines)) throw new Clash('a setting would be in another section');
  return bytesOf(text);
}

function parse(text: string): Settings {
  const lines = new Map<string, string>();
  const comments = new Map<string, string>();
  let section = '';
  let above: string[] = [];
  for (const line of linesOf(text)) {
    if (/^\s*(?:[#;]|$)/.test(line)) {
      above.push(line);
      continue;
    }
    const head = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1];
    if (head !== undefined) section = head;
    const key = head === undefined ? `${section}\0${settingOf(line)}` : head;
    putOnce(lines, key, line);
    comments.set(key, textOfLines(above));
    above = [];
  }
  lines.set(end, '');
  comments.set(end, textOfLines(above));
  return { lines, comments };
}

function settingOf(line: string): string {
  const equals = line.indexOf('=');
  const key = line.slice(0, Math.max(equals, 0)).trimEnd();
  // A line that begins with a blank continues the one above; `KEY: VALUE` may have a `=` in its value.
  if (key === '' || line.endsWith('\\') || /^[\s[]|^[^=]*:\s/.test(line))
    throw new OtherFormat('a line is not a setting');
  return key;
}

const mergeLine: MergeRecord = (key, _base, ours, theirs) => {
  const [section = '', name] = key.split('\0');
  const what = `${section === '' ? '' : `[${section}] `}${name ?? ''}`;
  if (ours === undefined) throw new Clash(`${quoted(what)} was removed by the container and changed by the update`);
  if (theirs === undefined) throw new Clash(`${quoted(what)} was removed by the update and changed by the container`);
  // A section's head differs in blanks only.
  if (name === undefined) return ours;
  throw new Clash(`${quoted(what)} has two new values`);
};

function commentsOf(key: string, [b, o, t]: readonly [Settings, Settings, Settings]): string[] {
  const own = o.comments.get(key);
  return linesOf(pick(b.comments.get(key), own ?? t.comments.get(key), t.comments.get(key) ?? own, () => own) ?? '');
}

function sameLines(a: Records, b: Records): boolean {
  return a.size === b.size && [...a].every(([key, line]) => b.get(key) === line);
}
