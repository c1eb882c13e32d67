#!/usr/bin/env node
import { version } from '../base/version.js';
import { exitCode } from './exit-code.js';
import { loadProgram } from './load-program.js';
import { write } from './stream.js';

// What scripts request most often must not wait for the whole program to load.
if (process.argv.length === 3 && (process.argv[2] === '--version' || process.argv[2] === '-V')) {
  write('stdout', `${version}\n`);
  process.exitCode = exitCode();
} else {
  process.exitCode = await loadProgram().start();
}
