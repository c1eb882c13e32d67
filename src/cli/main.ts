#!/usr/bin/env node
import { onWarning, setCommandWords } from '../base/this-command.js';
import { version } from '../base/version.js';
import { printable } from '../base/bytes.js';
import { exitCode } from './exit-code.js';
import { write } from './stream.js';

// What scripts request most often must not wait for the whole program to load.
if (process.argv.length === 3 && (process.argv[2] === '--version' || process.argv[2] === '-V')) {
  write('stdout', `${version}\n`);
  process.exitCode = exitCode();
} else if (process.argv[2] === '__complete') {
  const { answer } = await import('./completion/answer.js');
  answer(process.argv.slice(3));
} else if (process.argv[2] === '__mount') {
  const { mountHelper } = await import('./mount-helper.js');
  const { commandLine } = await import('../platform/command-line.js');
  process.exitCode = await mountHelper(commandLine().slice(3));
} else {
  const { main } = await import('./program.js');
  const { commandLine } = await import('../platform/command-line.js');
  const words = commandLine();
  setCommandWords(words.slice(2));
  onWarning((text) => {
    write('stderr', `lamina: warning: ${printable(text)}\n`);
  });
  process.exitCode = await main(words);
}
