/*
 * Regular expressions as containerd's filters have them: Go's (regexp/syntax), from which JavaScript's differ in
 * spelling.
 */

const classes: Readonly<Record<string, string>> = {
  ...{ alnum: '0-9A-Za-z', alpha: 'A-Za-z', ascii: '\\x00-\\x7f', blank: '\\t ', cntrl: '\\x00-\\x1f\\x7f' },
  ...{ digit: '0-9', graph: '!-~', lower: 'a-z', print: ' -~', punct: '!-\\/:-@\\[-`\\{-~', space: '\\t-\\r ' },
  ...{ upper: 'A-Z', word: '0-9A-Za-z_', xdigit: '0-9A-Fa-f' },
};

/** What is spelled otherwise; the first alternative keeps a doubled backslash from being taken apart. */
const foreign =
  /\\\\|\\x\{([0-9A-Fa-f]{1,6})\}|\\([pP])([A-Z])|\\([Aza])|\\Q([^]*?)(?:\\E|$)|\\([^A-Za-z0-9])|\[:(\w+):\]|\(\?P</gu;

const ends: Readonly<Record<string, string>> = { A: '(?<![^])', z: '(?![^])', a: '\\x07' };

/** @throws SyntaxError it is none, or one of the few that JavaScript cannot express */
export function patternOf(text: string): RegExp {
  const [start = '', flags = ''] = /^\(\?([ims]+)\)/.exec(text) ?? [];
  const body = text.slice(start.length).replace(foreign, (...found: (string | undefined)[]) => {
    const [all = '', code, kind, category, end, quoted, punctuation, name] = found;
    if (code !== undefined) return `\\u{${code}}`;
    if (kind !== undefined) return `\\${kind}{${category ?? ''}}`;
    if (end !== undefined) return ends[end] ?? all;
    if (quoted !== undefined) return Array.from(quoted, literal).join('');
    if (punctuation !== undefined) return literal(punctuation);
    if (name !== undefined) return Object.hasOwn(classes, name) ? (classes[name] ?? all) : all;
    return all === '(?P<' ? '(?<' : all;
  });
  return new RegExp(body, `u${flags}`);
}

/** In a class and outside of one. */
const literal = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
