import { defineConfig } from 'vitest/config';

/** Every group of tests is a project: `npx vitest run --project unit`. */
function project(name: string, include: string[], timeout: number, serial = false) {
  return {
    test: {
      name,
      include,
      pool: 'forks' as const,
      testTimeout: timeout,
      hookTimeout: timeout,
      fileParallelism: !serial,
    },
  };
}

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      project('unit', ['test/{unit,format,model}/**/*.test.ts'], 60_000),
      // These mount file systems and start processes: one file at a time on a small machine.
      project('e2e', ['test/{e2e,conformance,differential,crash}/**/*.test.ts'], 120_000, true),
    ],
  },
});
