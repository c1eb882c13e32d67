import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, notFound, refused, usage } from '../../base/errors.js';
import { pathOf } from '../context.js';
import { write } from '../stream.js';

const longest = 64 * 1024;

/**
 * The first line of a file, without its end. A file that others may read is refused, as the file of a key is; a pipe
 * has no such readers.
 * @throws LaminaError notFound; refused (PASSPHRASE_EXPOSED); usage: it is empty
 */
export function passphraseIn(file: string): string {
  const path = pathOf(file);
  const text = beginningOf(path);
  const [line = ''] = text.split(/\r?\n/);
  if (line === '') throw usage(`the first line of ${display(path)} is empty`, { hint: 'put the passphrase there' });
  return line;
}

function beginningOf(path: BytePath): string {
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(path), 'r');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw notFound(`there is no passphrase file ${display(path)}`, { hint: 'give the path of a file with one line' });
  }
  try {
    const stats = fstatSync(descriptor);
    if (stats.isFile() && (stats.mode & 0o077) !== 0) throw exposed(path, stats.mode);
    const bytes = Buffer.alloc(longest);
    let length = 0;
    for (let count = -1; count !== 0 && length < longest && !bytes.subarray(0, length).includes('\n'); length += count)
      count = readSync(descriptor, bytes, length, longest - length, null);
    return bytes.subarray(0, length).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}

function exposed(path: BytePath, mode: number) {
  return refused(`others may read the passphrase file ${display(path)}: its mode is ${(mode & 0o777).toString(8)}`, {
    code: 'PASSPHRASE_EXPOSED',
    hint: `chmod 600 ${display(path)}, or give a pipe; if it was read, replace the keys (lamina channel rotate-key)`,
  });
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
