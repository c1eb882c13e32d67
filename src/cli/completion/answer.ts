import { makeProgram } from '../program.js';
import { write } from '../stream.js';
import { complete } from './complete.js';
import { storeNames } from '../../app/store-names.js';

/**
 * Answers the scripts of `lamina completion`: a line for each candidate, the word and what is said of it with a tab
 * between; last `:files` where names of files may stand there, too.
 * @param words after the program's name, to the cursor
 */
export function answer(words: readonly string[]): void {
  const { candidates, files } = complete(makeProgram(), words, storeNames);
  const lines = candidates.map(({ word, text }) => `${word}\t${text}`);
  write('stdout', [...lines, ...(files ? [':files'] : [])].map((line) => `${line}\n`).join(''));
}
