// Runs the CLI for the benchmarks, and the orchestrator's own functions where a thousand processes would only measure
// the start of Node.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

/** What a command took. */
export async function timedCommand(program, args) {
  const start = process.hrtime.bigint();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => (output[name] += chunk));
  let peak = 0;
  const look = setInterval(() => (peak = Math.max(peak, peakMemory(child.pid))), 20);
  const [code, signal] = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...how) => resolve(how));
  });
  clearInterval(look);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code ?? signal}: ${output.stderr}`);
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, peak, stdout: output.stdout };
}

/** Bytes that a process had resident at most until now, proc_pid_status(5); 0 once it has ended. */
function peakMemory(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return 0;
    throw error;
  }
}

/** A store of its own for a benchmark. */
export function storeAt(checkout, directory) {
  const cli = join(checkout, 'dist/lamina.js');
  return {
    directory,
    /** Runs a command of the CLI in this store, timed, its peak memory seen. */
    lamina: (...args) => timedCommand(process.execPath, [cli, '--store', directory, ...args]),
    json: async (...args) =>
      JSON.parse((await timedCommand(process.execPath, [cli, '--store', directory, '--json', ...args])).stdout),
  };
}

/** Whether the CLI of this checkout has a command. */
export function knows(checkout, ...command) {
  const help = spawnSync(process.execPath, [join(checkout, 'dist/lamina.js'), ...command, '--help'], {
    encoding: 'utf8',
  });
  return help.status === 0 && help.stdout.startsWith(`Usage: lamina ${command.join(' ')}`);
}

/** The orchestrator's functions, bundled from src/ beside the built addon. */
export async function functionsOf(checkout) {
  const outfile = join(checkout, 'dist/bench.mjs');
  await build({
    stdin: {
      contents: `
        export { create } from './src/app/create.js';
        export { Store } from './src/store/index.js';
        export { StorePaths } from './src/store/paths.js';
        export { recordChecked, wasChecked } from './src/store/checked-manifest.js';
        export { manifestBytes } from './src/store/manifest-bytes.js';
        export {
          checkGraph, checkStep, createContainer, emptyManifest, readManifest, serialiseManifest,
        } from './src/manifest/index.js';
        export { writeFileDurably } from './src/platform/durable.js';
        export { encodeIndex } from './src/store/node-index/writer.js';
        export { scanTree } from './src/store/node-index/scan.js';
        export { fromText } from './src/base/bytes.js';
        export {
          MountedRoot, addToRoot, additionsOf, failureOf, planSandbox, procedureHostName, runInSandbox, shownDirectory,
        } from './src/sandbox/index.js';`,
      resolveDir: checkout,
      loader: 'ts',
    },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'error',
    define: { __LAMINA_VERSION__: '"bench"' },
    banner: {
      js: "import { createRequire as __laminaRequire } from 'node:module';const require = __laminaRequire(import.meta.url);",
    },
  });
  return { bundle: outfile, ...(await import(outfile)) };
}
