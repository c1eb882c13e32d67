/**
 * Calls `work` for every item, at most `limit` at a time, and gives the results in the items' order. After a failure
 * nothing new is started; running work is awaited, then the first failure is thrown.
 */
export async function mapLimit<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`limit must be a whole number from 1, not ${limit}`);
  const results: R[] = [];
  const failures: unknown[] = [];
  const iterator = items[Symbol.iterator]();
  let started = 0;
  const worker = async () => {
    while (failures.length === 0) {
      const next = iterator.next();
      if (next.done === true) return;
      const index = started++;
      try {
        results[index] = await work(next.value, index);
      } catch (failure) {
        failures.push(failure);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}

/** The outcome of one item: its result, or what was thrown. */
export type Outcome<T, R> =
  | { readonly item: T; readonly ok: true; readonly value: R }
  | { readonly item: T; readonly ok: false; readonly error: unknown };

/** As `mapLimit`, but every item is tried and a failure is an outcome among the others. */
export async function settleLimit<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<Outcome<T, R>[]> {
  return mapLimit(items, limit, async (item, index): Promise<Outcome<T, R>> => {
    try {
      return { item, ok: true, value: await work(item, index) };
    } catch (error) {
      return { item, ok: false, error };
    }
  });
}
