import { defineConfig } from 'vitest/config';

/** Every group of tests is a project: `npx vitest run --project unit`. */
function project(name: string, include: string[], timeout: number) {
  return { test: { name, include, pool: 'forks' as const, maxWorkers: 2, testTimeout: timeout, hookTimeout: timeout } };
}

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      project('unit', ['test/{unit,format,model}/**/*.test.ts'], 60_000),
      // These mount file systems and start processes.
      project('e2e', ['test/{e2e,conformance,differential,crash}/**/*.test.ts'], 120_000),
    ],
  },
});
