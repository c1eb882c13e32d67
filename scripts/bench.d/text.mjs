// Figures and tables for people.

export const percent = (share) => `±${Math.round(share * 100)} %`;

/** Three figures that count; – where there is none. */
export function number(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return '–';
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export const rounds = (count) => (count === 1 ? 'one round' : `${count} rounds`);

/** @param {number | undefined} value  seconds */
export function duration(value) {
  if (value === undefined || value === null) return '–';
  if (value < 1e-3) return `${number(value * 1e6)} µs`;
  return value < 1 ? `${number(value * 1e3)} ms` : `${number(value)} s`;
}

/** @param {number | undefined} value  bytes */
export function size(value) {
  if (value === undefined || value === null) return '–';
  if (value < 1024) return `${Math.round(value)} B`;
  if (value < 1 << 20) return `${number(value / 1024)} KiB`;
  return value < 1 << 30 ? `${number(value / (1 << 20))} MiB` : `${number(value / (1 << 30))} GiB`;
}

export function table(head, lines) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...lines.map(line)].join('\n');
}

/**
 * What was aimed at beside what was measured.
 * @param {[what: string, figure: number, most: number, show: (value: number) => string][]} lines
 */
export function targets(lines) {
  const cells = lines.map(([what, figure, most, show]) => [
    what,
    show(figure),
    show(most),
    figure <= most ? 'held' : '**missed**',
  ]);
  return table(['target', 'measured', 'at most', ''], cells);
}
