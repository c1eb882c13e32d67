#!/usr/bin/env node
import { version } from '../base/version.js';

// What most often is asked of a program in scripts must not wait for all of it to load.
if (process.argv.length === 3 && (process.argv[2] === '--version' || process.argv[2] === '-V')) {
  process.stdout.write(`${version}\n`);
} else {
  const { main } = await import('./program.js');
  process.exitCode = await main(process.argv);
}
