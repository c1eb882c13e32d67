import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { distFile } from '../platform/install.js';
import { runProcess } from '../platform/process.js';

const parts = ['users', 'processes', 'memory', 'processors'] as const;

/**
 * Why root's sandboxes cannot have a user namespace, or limits for all their processes together; undefined: they can.
 */
export type SandboxProbe = Readonly<Record<(typeof parts)[number], string | undefined>>;

const patienceMs = 10_000;

/**
 * Probes what this machine can provide for a sandbox, as root.
 * @param mountpoint of a mount that lets its owners be mapped (docs/driver.md, `idmap`)
 * @throws LaminaError failed: the probe could not run
 */
export async function probeSandbox(mountpoint: BytePath): Promise<SandboxProbe> {
  let output = '';
  const { exitCode } = await runProcess({
    command: distFile('lamina-sandbox'),
    args: ['--probe', toText(mountpoint)],
    timeoutMs: patienceMs,
    onOutput: (chunk) => {
      output += chunk.toString('utf8');
    },
  });
  const found = new Map(output.split('\n').map((line) => [line.split(' ')[0], line]));
  const reasons = parts.map((part) => {
    const line = found.get(part);
    if (exitCode !== 0 || line === undefined)
      throw failed(`cannot find out what a sandbox can have here: ${output.trim().replace(/^lamina: /, '')}`);
    return [part, line.startsWith(`${part} no `) ? line.slice(part.length + ' no '.length) : undefined];
  });
  return Object.fromEntries(reasons) as SandboxProbe;
}
