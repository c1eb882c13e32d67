// The chart of the drivers: a dot a driver on one line a workload, on a logarithmic scale of the time as a multiple of
// kernel overlayfs.
import { meansOf, rowsOf } from './drivers-text.mjs';
import { number } from './text.mjs';

/** Few colours, distinct in black and white by their shapes; seen on white and on dark. */
const marks = {
  native: { colour: '#8b949e', shape: 'bar' },
  'fuse-overlayfs': { colour: '#d97706', shape: 'square' },
  'fuse-native': { colour: '#b45ad1', shape: 'diamond' },
  'laminafs, stateless': { colour: '#2f81f7', shape: 'dot', large: true },
  'laminafs, no index': { colour: '#1a7f37', shape: 'square' },
  'laminafs, passthrough': { colour: '#2f81f7', shape: 'ring' },
  'laminafs, io_uring': { colour: '#1a7f37', shape: 'diamond' },
  'lamina mount, fuse': { colour: '#2f81f7', shape: 'square' },
  'lamina mount, kernel': { colour: '#8b949e', shape: 'ring' },
};

const left = 310;
const width = 600;
const right = 90;
const step = 30;
const top = 84;
const [lowest, highest] = [0.02, 100];
const ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];

const x = (ratio) =>
  left + (Math.log(Math.min(highest, Math.max(lowest, ratio)) / lowest) / Math.log(highest / lowest)) * width;

function mark({ colour, shape, large }, cx, cy) {
  const r = large ? 6.5 : 5;
  if (shape === 'bar') return `<rect x="${cx - 1.5}" y="${cy - 7}" width="3" height="14" fill="${colour}"/>`;
  if (shape === 'square')
    return `<rect x="${cx - r}" y="${cy - r}" width="${2 * r}" height="${2 * r}" fill="${colour}"/>`;
  if (shape === 'diamond')
    return `<path d="M${cx} ${cy - r - 1}L${cx + r + 1} ${cy}L${cx} ${cy + r + 1}L${cx - r - 1} ${cy}z" fill="${colour}"/>`;
  const ring = shape === 'ring' ? `fill="none" stroke="${colour}" stroke-width="2.5"` : `fill="${colour}"`;
  return `<circle cx="${cx}" cy="${cy}" r="${r}" ${ring}/>`;
}

const text = (at, y, content, attributes = '') => `<text x="${at}" y="${y}" ${attributes}>${content}</text>`;

function legend(names) {
  let at = 20;
  const parts = [];
  for (const name of names) {
    parts.push(mark(marks[name], at, 44), text(at + 12, 48, name));
    at += 36 + name.length * 7;
  }
  parts.push(
    `<rect x="${at - 4}" y="40" width="26" height="8" rx="4" fill="#2f81f7" opacity="0.22"/>`,
    text(at + 30, 48, 'its target'),
  );
  return parts;
}

function grid(bottom) {
  return ticks.flatMap((tick) => [
    `<line x1="${x(tick)}" x2="${x(tick)}" y1="${top - 14}" y2="${bottom}" class="${tick === 1 ? 'one' : 'grid'}"/>`,
    text(x(tick), bottom + 18, `${tick}×`, 'text-anchor="middle"'),
  ]);
}

function line({ workload, cells, targets }, names, y, bold) {
  const parts = [text(left - 14, y + 4, workload, `text-anchor="end"${bold ? ' font-weight="bold"' : ''}`)];
  if (targets.atMost !== undefined) {
    const from = x(targets.aim ?? targets.atMost);
    parts.push(
      `<rect x="${from - 3}" y="${y - 8}" width="${x(targets.atMost) - from + 6}" height="16" rx="8" fill="#2f81f7" opacity="0.22"/>`,
    );
  }
  for (const name of names) if (cells[name]?.ratio) parts.push(mark(marks[name], x(cells[name].ratio), y));
  const main = cells['laminafs, stateless']?.ratio;
  if (main) parts.push(text(left + width + 12, y + 4, `${number(main)}×`, 'class="figure"'));
  return parts;
}

/** @param data  what rounds.mjs measured */
export function chart(data) {
  const rows = rowsOf(data);
  const names = data.names.filter((name) => marks[name] !== undefined);
  const means = meansOf(rows, names);
  const cells = Object.fromEntries(names.map((name) => [name, { ratio: means[name] }]));
  const bottom = top + (rows.length + 1) * step;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + right} ${bottom + 30}" font-family="sans-serif" font-size="13">`,
    '<style>text{fill:#24292f}.title{font-size:15px;font-weight:bold}.grid{stroke:#d0d7de}.one{stroke:#24292f;stroke-width:1.5}.figure{fill:#0969da;font-weight:bold}.back{fill:#fff}' +
      '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.one{stroke:#e6edf3}.figure{fill:#58a6ff}.back{fill:#0d1117}}</style>',
    '<rect width="100%" height="100%" rx="8" class="back"/>',
    text(20, 24, 'Time as a multiple of the kernel’s overlayfs (1×); less is better', 'class="title"'),
    ...legend(names),
    ...grid(bottom),
    ...rows.flatMap((row, i) => line(row, names, top + i * step, false)),
    ...line(
      { workload: 'geometric mean', cells, targets: { atMost: 1.25, aim: 1.05 } },
      names,
      top + rows.length * step,
      true,
    ),
  ].join('\n')}\n</svg>\n`;
}
