import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

// The suite is C++ (its functions are system calls of other users); here every test of it is reported for every file
// system that must pass it. ext4 is the oracle: what fails there is wrong in the suite.

const script = resolve(import.meta.dirname, '../../scripts/conformance');
const root = process.getuid?.() === 0;
if (!root && process.env['CI'] !== undefined)
  throw new Error('the conformance suite mounts file systems and needs root');
if (!root) process.emitWarning('the conformance suite is skipped: it mounts file systems and needs root');

const subjects = [
  { name: 'ext4', options: ['--driver', 'ext4'], overlay: false },
  { name: 'laminafs, stateless', options: ['--mode', 'stateless'], overlay: true },
  { name: 'laminafs, passthrough', options: ['--mode', 'passthrough'], overlay: true },
  { name: 'laminafs, servicing', options: ['--mode', 'servicing'], overlay: true },
  { name: 'laminafs, without indexes', options: ['--no-index'], overlay: true },
];
if (existsSync('/sys/module/fuse/parameters/enable_uring')) {
  subjects.push({ name: 'laminafs, io_uring', options: ['--io-uring'], overlay: true });
} else {
  process.emitWarning('the conformance suite over io_uring is skipped: this kernel has none for FUSE');
}

interface Outcome {
  readonly skipped: boolean;
  readonly failures: readonly string[];
}

/** GoogleTest's JSON report, the part that is read. */
interface Report {
  readonly testsuites: readonly {
    readonly name: string;
    readonly testsuite: readonly {
      readonly name: string;
      readonly result: string;
      readonly failures?: readonly { readonly failure: string }[];
    }[];
  }[];
}

function judge(options: readonly string[]): Map<string, Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'lamina-conformance-report-'));
  try {
    const json = join(directory, 'report.json');
    const run = spawnSync('bash', [script, ...options, '--json', json], { encoding: 'utf8', maxBuffer: 1 << 28 });
    // 1: some tests failed, and the report says which. Else there is none.
    if (run.status !== 0 && run.status !== 1) throw new Error(`${run.stdout.slice(-4000)}${run.stderr.slice(-4000)}`);
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    const outcomes = report.testsuites.flatMap((suite) =>
      suite.testsuite.map((test): [string, Outcome] => [
        `${suite.name}.${test.name}`,
        { skipped: test.result === 'SKIPPED', failures: (test.failures ?? []).map(({ failure }) => failure) },
      ]),
    );
    if (run.status === 1 && outcomes.every(([, outcome]) => outcome.failures.length === 0)) {
      throw new Error(`the run failed, but no test did:\n${run.stdout.slice(-4000)}${run.stderr.slice(-4000)}`);
    }
    return new Map(outcomes);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const names = root ? execFileSync('bash', [script, '--list'], { encoding: 'utf8' }).trim().split('\n') : [];

describe.skipIf(!root)('conformance', () => {
  for (const { name, options, overlay } of subjects) {
    describe(name, () => {
      let outcomes: Map<string, Outcome>;
      beforeAll(() => {
        outcomes = judge(options);
      }, 900_000);

      for (const test of names.filter((one) => overlay || !one.startsWith('Overlay'))) {
        it(test, ({ skip }) => {
          const outcome = outcomes.get(test);
          if (outcome?.skipped === true) skip();
          expect(outcome?.failures).toEqual([]);
        });
      }
    });
  }

  for (const mode of ['stateless', 'passthrough', 'servicing']) {
    it(`processes in one tree agree, ${mode}`, { timeout: 300_000 }, () => {
      const run = spawnSync('bash', [script, '--mode', mode, '--parallel', '6'], { encoding: 'utf8' });
      expect(run.status, `${run.stdout}${run.stderr}`).toBe(0);
    });
  }
});
