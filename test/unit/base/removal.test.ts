import { describe, expect, it } from 'vitest';
import { FileBytes, StepCount, removeCounted } from '../../../src/base/steps.js';

describe('what is removed', () => {
  const seen: string[] = [];
  const steps = () => new StepCount((done, total) => seen.push(`${done}/${total}`));

  it('is counted', async () => {
    seen.length = 0;
    await removeCounted({ total: 2, unit: 'files', steps: steps(), signal: undefined }, async (removed) => {
      removed();
      removed();
      return Promise.resolve();
    });
    expect(seen).toEqual(['1/2', '2/2']);
  });

  it.each([
    ['between two things', () => undefined],
    [
      'while something is removed',
      (reason: Error) => {
        throw reason;
      },
    ],
  ])('is reported when the command is interrupted %s', async (_, end) => {
    const command = new AbortController();
    const reason = new Error('interrupted by SIGTERM; nothing was changed');
    const counted = { total: 3, unit: 'files', steps: steps(), signal: command.signal };
    const removing = removeCounted(counted, async (removed) => {
      removed();
      command.abort(reason);
      end(reason);
      return Promise.resolve();
    });
    await expect(removing).rejects.toMatchObject({
      code: 'INTERRUPTED',
      message: 'interrupted: 1 of 3 files were removed',
      cause: reason,
    });
  });

  it('is all of it where the interruption comes last, and nothing hides a failure', async () => {
    const command = new AbortController();
    const counted = { total: 1, unit: 'files', steps: steps(), signal: command.signal };
    const fault = new Error('the disk is broken');
    await expect(removeCounted(counted, () => Promise.reject(fault))).rejects.toBe(fault);
    await removeCounted(counted, async (removed) => {
      removed();
      command.abort();
      return Promise.resolve();
    });
  });
});

it('the bytes of a file that is sent again are counted once', () => {
  const seen: number[] = [];
  const count = new FileBytes(30, (bytes) => seen.push(bytes));
  for (const [path, bytes] of [
    ['a', 10],
    ['b', 15],
    ['b', 5],
    ['b', 20],
  ] as const)
    count.reached(path, bytes);
  expect(seen).toEqual([10, 25, 15, 30]);
});
