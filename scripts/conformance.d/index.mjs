// Writes the index of a tree with the store's own code:  node scripts/conformance.d/index.mjs TREE INDEX [TREE INDEX]…
import { join } from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const checkout = join(import.meta.dirname, '../..');
const bundle = join(checkout, 'build/tools/node-index.mjs');
mkdirSync(join(checkout, 'build/tools'), { recursive: true });
await build({
  stdin: {
    contents:
      "export { scanTree } from './src/store/node-index/scan.ts'; export { encodeIndex } from './src/store/node-index/writer.ts';",
    resolveDir: checkout,
  },
  outfile: bundle,
  bundle: true,
  format: 'esm',
  platform: 'node',
  // What npm installed is loaded from where it is.
  packages: 'external',
  target: 'node20.19',
  logLevel: 'warning',
});
const { scanTree, encodeIndex } = await import(bundle);
for (let at = 2; at + 1 < process.argv.length; at += 2) {
  const tree = Buffer.from(process.argv[at]).toString('latin1');
  writeFileSync(process.argv[at + 1], await encodeIndex(await scanTree(tree, { hash: true })));
}
