import { readFileSync } from 'node:fs';
import { display, toBuffer } from '../../base/bytes.js';
import { isSystemError, notFound, refused, usage } from '../../base/errors.js';
import { pathOf } from '../context.js';
import { write } from '../stream.js';

const longest = 64 * 1024;

/** The first line of a file, without its end. @throws LaminaError notFound; usage: it is empty or no text */
export function passphraseIn(file: string): string {
  const path = pathOf(file);
  let text: string;
  try {
    text = readFileSync(toBuffer(path), 'utf8');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw notFound(`there is no passphrase file ${display(path)}`, { hint: 'give the path of a file with one line' });
  }
  const [line = ''] = text.slice(0, longest).split(/\r?\n/);
  if (line === '') throw usage(`the first line of ${display(path)} is empty`, { hint: 'put the passphrase there' });
  return line;
}

/** Asks on the terminal, without showing what is typed. @throws LaminaError usage: there is no terminal */
export async function askPassphrase(question: string): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY)
    throw usage(`${question}: standard input is not a terminal`, {
      code: 'NO_PASSPHRASE',
      hint: 'give a file with the passphrase: --passphrase-file FILE',
    });
  // Before the question: what is typed as soon as it is seen must not be shown.
  stdin.setRawMode(true);
  stdin.resume();
  write('stderr', `${question}: `);
  try {
    return await lineOf(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    write('stderr', '\n');
  }
}

async function lineOf(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (done: () => void) => {
      stdin.off('data', onData);
      done();
    };
    const onData = (bytes: Buffer) => {
      for (const character of bytes.toString('utf8')) {
        if (character === '\r' || character === '\n') {
          end(() => resolve(typed));
          return;
        }
        // Ctrl-C and Ctrl-D: in raw mode the terminal sends no signal.
        if (character === '\u0003' || character === '\u0004') {
          end(() => reject(refused('no passphrase was given; nothing was changed')));
          return;
        }
        typed =
          character === '\u007f' || character === '\b' ? Array.from(typed).slice(0, -1).join('') : typed + character;
      }
    };
    stdin.on('data', onData);
  });
}

/** A new passphrase, typed twice. */
export async function newPassphrase(what: string): Promise<string> {
  const first = await askPassphrase(`New passphrase for ${what}`);
  if (first === '')
    throw usage('the passphrase is empty', { hint: 'type one, or give --no-passphrase to store keys unencrypted' });
  if ((await askPassphrase('The same again')) === first) return first;
  throw usage('the two passphrases differ', { hint: 'try again; nothing was made' });
}
