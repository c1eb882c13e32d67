import { makeProgram } from '../program.js';
import { write } from '../stream.js';
import { complete } from './complete.js';
import { storeNames } from '../../app/store-names.js';

/**
 * Answers the scripts of `lamina completion`: one line per candidate, the word and its description with a tab between;
 * then `:files` if names of files are candidates, too.
 * @param words after the program's name, to the cursor
 */
export function answer(words: readonly string[]): void {
  const { candidates, files } = complete(makeProgram(), words, storeNames);
  const lines = candidates.map(({ word, text }) => `${word}\t${text}`);
  write('stdout', [...lines, ...(files ? [':files'] : [])].map((line) => `${line}\n`).join(''));
}
