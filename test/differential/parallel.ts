import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

import { checkout } from '../support/lamina.js';
import { compareAround, Difference } from './compare.js';
import type { Comparison } from './compare.js';
import { randomOperations } from './operations.js';
import type { Work } from './worker.js';

/**
 * Processes that perform operations at the same time, each in a part of the mount that is its own: so what they answer
 * does not depend on who is first.
 */
export class Workers {
  readonly #program: string;
  readonly #children: ChildProcess[];

  private constructor(program: string, children: ChildProcess[]) {
    this.#program = program;
    this.#children = children;
  }

  static async start(count: number): Promise<Workers> {
    // Where the built addon is found from.
    const program = join(checkout, 'build', 'differential', `worker-${String(process.pid)}.mjs`);
    const require = "import { createRequire as make } from 'node:module'; const require = make(import.meta.url);";
    await build({
      entryPoints: [join(checkout, 'test/differential/worker.ts')],
      outfile: program,
      bundle: true,
      format: 'esm',
      platform: 'node',
      banner: { js: require },
      logLevel: 'warning',
    });
    return new Workers(
      program,
      Array.from({ length: count }, () => fork(program, { serialization: 'advanced' })),
    );
  }

  get count(): number {
    return this.#children.length;
  }

  end(): void {
    for (const child of this.#children) child.disconnect();
    rmSync(this.#program, { force: true });
  }

  /** What each worker's operations answered. */
  async perform(works: readonly Work[]): Promise<string[][]> {
    return Promise.all(
      works.map((work, i) => {
        const child = this.#children[i];
        if (child === undefined) throw new Error(`there are ${String(this.count)} workers for ${String(works.length)}`);
        return new Promise<string[]>((resolve, reject) => {
          const died = (code: number | null) => {
            reject(new Error(`worker ${String(i)} died (${String(code)})`));
          };
          child.once('exit', died);
          child.once('message', (answers: string[]) => {
            child.off('exit', died);
            resolve(answers);
          });
          child.send(work);
        });
      }),
    );
  }
}

/** As `compare`, by so many workers at once, `count` operations each: on the kernel's mount, then on the subject. */
export async function compareParallel(
  options: Omit<Comparison, 'parts'>,
  workers: Workers,
  running: number,
  count: number,
): Promise<void> {
  const parts = Array.from({ length: running }, (_, i) => `part-${String(i)}`);
  const seedOf = (i: number) => options.seed * 8 + i;
  await compareAround({ ...options, parts }, [], async (mounts) => {
    const worksOn = (root: string) => parts.map((part, i) => ({ root: join(root, part), seed: seedOf(i), count }));
    const kernel = await workers.perform(worksOn(mounts.kernel));
    const subject = await workers.perform(worksOn(mounts.subject));
    for (const [i, answers] of kernel.entries()) {
      const at = answers.findIndex((answer, each) => answer !== subject[i]?.[each]);
      if (at < 0) continue;
      const history = randomOperations(seedOf(i), at + 1);
      const what = `operation ${String(at)} of worker ${String(i)}, seed ${String(options.seed)}`;
      throw new Difference(what, answers.slice(at, at + 1), (subject[i] ?? []).slice(at, at + 1), history);
    }
  });
}
