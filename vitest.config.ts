import { defineConfig } from 'vitest/config';

/** Every group of tests is a project: `npx vitest run --project unit`. */
function project(name: string, include: string[], timeout: number, workers: number, more: object = {}) {
  const timeouts = { testTimeout: timeout, hookTimeout: timeout };
  const setupFiles = ['test/support/seed.ts'];
  return { test: { name, include, setupFiles, pool: 'forks' as const, maxWorkers: workers, ...timeouts, ...more } };
}

/** More cases of each property take longer. */
const unitTimeout = 60_000 * Math.max(1, Number(process.env['LAMINA_PROPERTY_RUNS'] ?? 0) / 1500);

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      // Files share a process, which spares loading the program for each: a test leaves no state in modules. Some wait.
      project('unit', ['test/{unit,format,model}/**/*.test.ts'], unitTimeout, 3, { isolate: false }),
      // These mount file systems and start processes, one file at a time: a sandbox that one file starts has copies of
      // the mounts of all, and keeps them busy.
      project('e2e', ['test/e2e/**/*.test.ts'], 120_000, 1, {
        setupFiles: ['test/support/seed.ts', 'test/support/without-root.ts'],
      }),
      project('suites', ['test/{conformance,differential,crash}/**/*.test.ts'], 120_000, 1),
    ],
  },
});
