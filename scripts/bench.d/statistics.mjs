// Medians, spreads and ratios.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half the distance between the smallest and the largest, as a share of the median. */
export const spread = (values) => (Math.max(...values) - Math.min(...values)) / 2 / median(values);

export const geometricMean = (values) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/**
 * @param {Record<string, Record<string, number[]>>} seconds  workload → driver → one figure a round
 * @param {string} reference  the driver that counts as 1
 * @returns rows of medians, spreads and ratios; the ratio is the median of the rounds' own ratios, so that a slow round cancels out
 */
export function tabulate(seconds, reference) {
  return Object.entries(seconds).map(([workload, byDriver]) => ({
    workload,
    cells: Object.fromEntries(
      Object.entries(byDriver).map(([driver, values]) => [
        driver,
        {
          median: median(values),
          spread: spread(values),
          ratio: median(values.map((value, round) => value / byDriver[reference][round])),
        },
      ]),
    ),
  }));
}
