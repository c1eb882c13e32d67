// Bundles src/cli/main.ts and all it imports to dist/lamina.js, and the page to dist/page. What is imported with
// `await import()` becomes a file of its own under dist/chunks/, so that a command loads only what it uses.
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

rmSync('dist/chunks', { recursive: true, force: true });
await build({
  entryPoints: {
    lamina: 'src/cli/main.ts',
    'diff-worker': 'src/update/preview/diff-worker.ts',
    'report-worker': 'src/fleet/report-worker.ts',
  },
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'linked',
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
  define: { __LAMINA_VERSION__: JSON.stringify(version) },
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
