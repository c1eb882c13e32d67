// Composes docs/benchmarks.md of what lies in build/bench/.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { sections } from './sections.mjs';
import { size } from './text.mjs';

const machineOf = ({ taken, machine }) =>
  `Taken ${taken.slice(0, 10)}: Linux ${machine.kernel}, ${machine.processors} × ${machine.processor}, ${size(machine.memory)}, on ${machine.disk}; load ${machine.load.toFixed(1)} at the start.`;

export function writePage(checkout) {
  const parts = [
    '# Benchmarks',
    'Written by `scripts/bench … --write` ([testing.md](testing.md)); each section says when and where it was measured.',
  ];
  for (const section of sections) {
    const file = join(checkout, 'build/bench', `${section.name}.json`);
    if (!existsSync(file)) continue;
    const result = JSON.parse(readFileSync(file, 'utf8'));
    parts.push(`## ${section.title}`, section.text(result.data).trim(), machineOf(result));
    for (const [name, picture] of Object.entries(section.pictures?.(result.data) ?? {}))
      writeFileSync(join(checkout, 'docs', name), picture);
  }
  writeFileSync(join(checkout, 'docs/benchmarks.md'), `${parts.join('\n\n')}\n`);
  execFileSync(process.execPath, ['scripts/prose.mjs', '--fix'], { cwd: checkout });
}
