// The CLI, built by killed.test.ts: it kills itself right before the durable step of number LAMINA_KILL_AT, and reports
// how many there were where it comes to its end.
import { writeFileSync } from 'node:fs';
import { main } from '../../src/cli/program.js';
import { onDurableStep } from '../../src/platform/durable.js';

const at = Number(process.env['LAMINA_KILL_AT']);
let count = 0;
onDurableStep((step) => {
  if (step === 'stage') return;
  if (count === at) process.kill(process.pid, 'SIGKILL');
  count += 1;
});
process.exitCode = await main(process.argv);
writeFileSync(process.env['LAMINA_KILL_COUNT'] ?? '/dev/null', String(count));
