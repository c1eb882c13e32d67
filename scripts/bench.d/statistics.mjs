// Medians, spreads and ratios.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half the distance between the smallest and the largest, as a share of the median. */
export const spread = (values) => (Math.max(...values) - Math.min(...values)) / 2 / median(values);

/** NaN of no values. */
export const geometricMean = (values) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/**
 * The median of the rounds' own ratios, so that a slow round cancels out; undefined where the other was not measured.
 */
const ratioTo = (values, others) =>
  others?.length === values.length ? median(values.map((value, round) => value / others[round])) : undefined;

/**
 * @param {Record<string, Record<string, number[]>>} seconds  workload → driver → one figure a round
 * @param {string} reference  the driver that counts as 1
 * @param {string} peer       another to compare with: `toPeer`
 */
export function tabulate(seconds, reference, peer) {
  return Object.entries(seconds).map(([workload, byDriver]) => ({
    workload,
    cells: Object.fromEntries(
      Object.entries(byDriver).map(([driver, values]) => [
        driver,
        {
          median: median(values),
          spread: spread(values),
          ratio: ratioTo(values, byDriver[reference]),
          toPeer: ratioTo(values, byDriver[peer]),
        },
      ]),
    ),
  }));
}
