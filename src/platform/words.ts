import { fromText } from '../base/bytes.js';

interface Call {
  readonly command: string;
  readonly args: readonly string[];
}

const loneSurrogate = /\p{Surrogate}/u;

/**
 * A call whose words are texts of bytes (docs/format.md), in a form that Node can run: Node encodes words as UTF-8,
 * which other bytes cannot pass. Then a shell builds the words, and executes the program.
 */
export function spawnable({ command, args }: Call): Call {
  if (![command, ...args].some((word) => loneSurrogate.test(word))) return { command, args };
  return { command: '/bin/sh', args: ['-c', `exec ${[command, ...args].map(quoted).join(' ')}`] };
}

function quoted(word: string): string {
  if (!loneSurrogate.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  // Command substitution strips trailing line breaks.
  const end = /\n*$/.exec(word)?.[0] ?? '';
  const bytes = Buffer.from(fromText(word.slice(0, word.length - end.length)), 'latin1');
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  return `"$(printf '${octal}')${end}"`;
}
