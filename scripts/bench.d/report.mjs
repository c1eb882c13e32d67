// Prints what was measured, for a person: a table and a chart.

const percent = (share) => `±${Math.round(share * 100)} %`;
const seconds = (value) => (value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`);

export function markdownTable(rows, drivers, means) {
  const head = `| workload | ${drivers.join(' | ')} |\n| --- | ${drivers.map(() => '---').join(' | ')} |`;
  const lines = rows.map(
    ({ workload, cells }) =>
      `| ${workload} | ${drivers
        .map(
          (driver) =>
            `**${cells[driver].ratio.toFixed(2)}** ${seconds(cells[driver].median)} ${percent(cells[driver].spread)}`,
        )
        .join(' | ')} |`,
  );
  const last = `| geometric mean | ${drivers.map((driver) => `**${means[driver].toFixed(2)}**`).join(' | ')} |`;
  return [head, ...lines, last].join('\n');
}

const palette = ['#7a869a', '#111827', '#d97706', '#2563eb', '#60a5fa'];
const bar = 9;
const left = 270;
const width = 560;

/** Horizontal bars, one group a workload, on a logarithmic scale from 0.1 to 10 with 1 (the reference) marked. */
export function chart(rows, drivers) {
  const x = (ratio) => left + ((Math.log10(Math.min(10, Math.max(0.1, ratio))) + 1) / 2) * width;
  const group = drivers.length * bar + 12;
  const height = rows.length * group + 70;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 70} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
  ];
  drivers.forEach((driver, i) => {
    parts.push(
      `<rect x="${20 + i * 150}" y="12" width="10" height="10" fill="${palette[i]}"/><text x="${36 + i * 150}" y="21">${driver}</text>`,
    );
  });
  for (const tick of [0.1, 0.2, 0.5, 1, 2, 5, 10]) {
    parts.push(
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="36" y2="${height - 24}" stroke="${tick === 1 ? '#111827' : '#d1d5db'}"/>`,
      `<text x="${x(tick)}" y="${height - 8}" text-anchor="middle">${tick}×</text>`,
    );
  }
  rows.forEach(({ workload, cells }, row) => {
    const top = 42 + row * group;
    parts.push(
      `<text x="${left - 10}" y="${top + (drivers.length * bar) / 2 + 4}" text-anchor="end">${workload}</text>`,
    );
    drivers.forEach((driver, i) => {
      const end = x(cells[driver].ratio);
      const from = Math.min(end, x(1));
      parts.push(
        `<rect x="${from}" y="${top + i * bar}" width="${Math.max(1, Math.abs(end - x(1)))}" height="${bar - 1}" fill="${palette[i]}"/>`,
        `<text x="${Math.max(end, x(1)) + 4}" y="${top + i * bar + 8}" font-size="9">${cells[driver].ratio.toFixed(2)}</text>`,
      );
    });
  });
  return `${parts.join('\n')}\n</svg>\n`;
}
