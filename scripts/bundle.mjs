// Bundles the command to dist: lamina.js, which is what people run, loads the program, one script with all that
// src/cli/start.ts imports. And the page to dist/page.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const common = {
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcesContent: false,
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
};

/** The name of the program that was bundled: with a hash, so that compiled code never belongs to another one. */
async function bundleProgram() {
  for (const name of readdirSync('dist'))
    if (/^program-.*\.cjs/.test(name)) rmSync(join('dist', name), { recursive: true });
  const { metafile } = await build({
    ...common,
    entryPoints: { program: 'src/cli/start.ts' },
    entryNames: '[name]-[hash]',
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    metafile: true,
    // Nothing may be added to the file: V8 knows it again by its length.
    sourcemap: 'external',
    legalComments: 'external',
    // A script can import nothing; what is imported where it is needed is in the bundle, and runs only then.
    supported: { 'dynamic-import': false },
    define: { __LAMINA_VERSION__: JSON.stringify(version), 'import.meta.url': 'laminaUrl' },
    // As src/cli/load-program.ts calls it.
    banner: { js: '(function (exports, require, module, laminaUrl) {' },
    footer: { js: '})' },
  });
  const file = Object.keys(metafile.outputs).find((name) => name.endsWith('.cjs'));
  const { status } = spawnSync(process.execPath, ['scripts/code-cache.mjs', file], { stdio: ['ignore', 'ignore', 2] });
  if (status !== 0) throw new Error(`scripts/code-cache.mjs ${file} ended with ${status}`);
  return basename(file);
}

rmSync('dist/chunks', { recursive: true, force: true });
const program = await bundleProgram();
await build({
  ...common,
  entryPoints: {
    lamina: 'src/cli/main.ts',
    'diff-worker': 'src/update/preview/diff-worker.ts',
    'report-worker': 'src/fleet/report-worker.ts',
  },
  chunkNames: 'chunks/[name]-[hash]',
  splitting: true,
  format: 'esm',
  sourcemap: 'linked',
  legalComments: 'linked',
  define: { __LAMINA_VERSION__: JSON.stringify(version), __LAMINA_PROGRAM__: JSON.stringify(program) },
  // Bundled CommonJS packages call `require` for Node's own modules.
  banner: {
    js: [
      "import { createRequire as __laminaRequire } from 'node:module';",
      'const require = __laminaRequire(import.meta.url);',
    ].join('\n'),
  },
});
// The page that `lamina serve` shows: script and style as files, because its policy allows nothing inline.
rmSync('dist/page', { recursive: true, force: true });
await build({
  entryPoints: { page: 'page/main.tsx' },
  outdir: 'dist/page/assets',
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
  tsconfig: 'page/tsconfig.json',
  legalComments: 'linked',
  minify: true,
  logLevel: 'warning',
});
copyFileSync('page/index.html', 'dist/page/index.html');
copyFileSync('page/icon.svg', 'dist/page/assets/icon.svg');
// Beside each file its compressed forms, which the server sends to browsers that take them.
for (const entry of readdirSync('dist/page', { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const content = readFileSync(path);
  writeFileSync(`${path}.br`, brotliCompressSync(content));
  writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
}
chmodSync('dist/lamina.js', 0o755);
copyFileSync('scripts/mount.lamina', 'dist/mount.lamina');
