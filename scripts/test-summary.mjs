// Adds up what every runner of scripts/test reported under the given directory: prints `N passed, N failed` and exits
// 1 where anything failed. A runner that failed without a failed test of its own counts as one failure.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

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

// What an ordinary user did not try is on a list with the reason, and what is on the list was not tried.
function problemsOfUser(path) {
  const list = JSON.parse(readFileSync('test/support/without-root.json', 'utf8'));
  const ofRoot = Object.values(list.needRoot).flat();
  const problems = [];
  for (const { name, assertionResults } of JSON.parse(readFileSync(path, 'utf8')).testResults) {
    const file = basename(name, '.test.ts');
    if (ofRoot.includes(file)) continue;
    const skipped = assertionResults
      .filter(({ status }) => status !== 'passed' && status !== 'failed')
      .map(({ ancestorTitles, title }) => [...ancestorTitles, title].join(' > '));
    const entries = Object.keys(list.tests[file] ?? {});
    const has = (entry, test) => test === entry || test.startsWith(`${entry} > `);
    for (const test of skipped.filter((each) => !entries.some((entry) => has(entry, each))))
      problems.push(`${file}: '${test}' was skipped, and test/support/without-root.json has no reason`);
    for (const entry of entries.filter((each) => !skipped.some((test) => has(each, test))))
      problems.push(`${file}: '${entry}' is in test/support/without-root.json, but no such test was skipped`);
  }
  return problems;
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
  for (const problem of step.startsWith('vitest-user') && code === '0'
    ? problemsOfUser(join(directory, `${step}.json`))
    : []) {
    console.log(`failed: ${problem}`);
    report.failed++;
  }
  if (report.failed > 0) console.log(`failed: ${step} (${report.failed})`);
  for (const key of Object.keys(total)) total[key] += report[key];
}
if (total.passed + total.failed === 0) total.failed = 1;
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exit(total.failed === 0 ? 0 : 1);
