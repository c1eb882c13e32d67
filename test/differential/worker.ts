// A worker of parallel.ts, built by it: performs the operations of a seed in a directory, and answers what each of them
// answered.
import { settle } from './known-differences.js';
import { perform, randomOperations } from './operations.js';

/** What a worker is given. */
export interface Work {
  readonly root: string;
  readonly seed: number;
  readonly count: number;
}

process.on('message', ({ root, seed, count }: Work) => {
  const answers = randomOperations(seed, count).map((operation) => {
    const answer = perform(root, operation);
    settle([root], operation, answer);
    return answer;
  });
  process.send?.(answers);
});
