import { onWarning, setCommandWords } from '../base/this-command.js';
import { printable } from '../base/bytes.js';
import { commandLine } from '../platform/command-line.js';
import { exitCode } from './exit-code.js';
import { write } from './stream.js';

/** Runs the command line; gives the exit code (docs/commands.md). @param words as process.argv */
export async function start(words: readonly string[] = commandLine()): Promise<number> {
  if (words[2] === '__complete') {
    const { answer } = await import('./completion/answer.js');
    answer(words.slice(3));
    return exitCode();
  }
  if (words[2] === '__mount') {
    const { mountHelper } = await import('./mount-helper.js');
    return mountHelper(words.slice(3));
  }
  const { main } = await import('./program.js');
  setCommandWords(words.slice(2));
  onWarning((text) => {
    write('stderr', `lamina: warning: ${printable(text)}\n`);
  });
  return main(words);
}
