import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildTiny, isRoot, run } from './lamina.js';
import type { Finished } from './lamina.js';
import { podmanPlaces } from './podman.js';

export const hasProgram = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;

/** A program that runs bundles, and how it runs here. */
export interface Runtime {
  readonly name: string;
  /** What is missing here to run it; '' if nothing is. */
  readonly requirement: string;
  /** Runs the bundle of a directory, as a container of this name. */
  run(bundle: string, name: string): Promise<Finished>;
}

/** crun refuses control groups of both versions side by side, runc does without none: each has them as it wants. */
const scripts: Readonly<Record<string, string>> = {
  runc: 'cd "$0" && exec runc run "$1"',
  crun: `${podmanPlaces}; cd "$0" && exec crun --cgroup-manager=disabled run "$1"`,
};

async function runScript(script: string, bundle: string, name: string): Promise<Finished> {
  return run('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, bundle, name]);
}

/** Tried on a bundle that the runtime makes itself. */
async function requirementOf(name: string, script: string): Promise<string> {
  if (!isRoot) return ' (needs root)';
  if (!hasProgram(name)) return ` (needs ${name})`;
  const place = mkdtempSync(join(tmpdir(), 'lamina-runtime-'));
  try {
    buildTiny(join(place, 'rootfs'));
    spawnSync('sh', [
      '-ec',
      `cd "$0"; ${name} spec; sed -i 's/"terminal": true/"terminal": false/' config.json`,
      place,
    ]);
    const { code, stderr } = await runScript(script, place, `lamina-probe-${String(process.pid)}`);
    return code === 0 ? '' : ` (needs a machine on which ${name} runs: ${stderr.trim().split('\n').at(-1) ?? ''})`;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

export const runtimes: readonly Runtime[] = await Promise.all(
  Object.entries(scripts).map(async ([name, script]) => ({
    name,
    requirement: await requirementOf(name, script),
    run: async (bundle: string, container: string) => runScript(script, bundle, container),
  })),
);
