// Adds up what every runner of scripts/test reported under the given directory: prints `N passed, N failed` and exits
// 1 where anything failed. A runner that failed without a failed test of its own counts as one failure.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const directory = process.argv[2];

function ofVitest(path) {
  const report = JSON.parse(readFileSync(path, 'utf8'));
  // A file that could not be loaded, or whose setting up failed, has no test of its own that failed.
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = report.numFailedTests + broken.length;
  for (const { name, assertionResults } of report.testResults) {
    for (const { fullName } of assertionResults.filter(({ status }) => status === 'failed'))
      console.log(`failed: ${relative(process.cwd(), name)}: ${fullName}`);
  }
  for (const { name, message } of broken)
    console.log(`failed: ${relative(process.cwd(), name)}: ${message.split('\n')[0]}`);
  return { passed: report.numPassedTests, failed, skipped: report.numPendingTests + report.numTodoTests };
}

function ofJunit(path) {
  const suite = /<testsuite\b[^>]*>/.exec(readFileSync(path, 'utf8'))?.[0] ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const skipped = count('skipped') + count('disabled');
  return { passed: count('tests') - count('failures') - skipped, failed: count('failures'), skipped };
}

function reportOf(step) {
  const file = readdirSync(directory).find((name) => name === `${step}.json` || name === `${step}.xml`);
  if (file === undefined) return undefined;
  return file.endsWith('.json') ? ofVitest(join(directory, file)) : ofJunit(join(directory, file));
}

const steps = existsSync(join(directory, 'steps')) ? readFileSync(join(directory, 'steps'), 'utf8') : '';
const total = { passed: 0, failed: 0, skipped: 0 };
for (const line of steps.split('\n').filter((text) => text !== '')) {
  const [step, code] = line.split(' ');
  const report = reportOf(step) ?? { passed: code === '0' ? 1 : 0, failed: 0, skipped: 0 };
  if (code !== '0' && report.failed === 0) report.failed = 1;
  if (report.failed > 0) console.log(`failed: ${step} (${report.failed})`);
  for (const key of Object.keys(total)) total[key] += report[key];
}
if (total.passed + total.failed === 0) total.failed = 1;
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exit(total.failed === 0 ? 0 : 1);
