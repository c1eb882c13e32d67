// Writes beside the bundled program what V8 has compiled of it, which src/cli/load-program.ts gives to V8 again:
//   node scripts/code-cache.mjs FILE
// A few commands run meanwhile, because V8 compiles a function when it is called first.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';

const filename = resolve(process.argv[2]);
const script = new Script(readFileSync(filename, 'latin1'), { filename });
const url = pathToFileURL(filename).href;
const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(url), module, url);

const place = mkdtempSync(join(tmpdir(), 'lamina-code-'));
try {
  const [store, root] = ['store', 'root'].map((name) => join(place, name));
  mkdirSync(root);
  writeFileSync(join(root, 'file'), 'content');
  const commands = [
    ['init'],
    ['base', 'import', 'some', root],
    ['base', 'list'],
    ['create', 'one', '--base', 'some'],
    ['status'],
    ['diff', 'one'],
    ['verify'],
    ['remove', 'one'],
  ];
  // One that fails here, without root or the addon, works where it is compiled on the way.
  for (const words of commands) await module.exports.start(['node', 'lamina', '--json', '--store', store, ...words]);
} finally {
  rmSync(place, { recursive: true, force: true });
}
writeFileSync(`${filename}.cache`, script.createCachedData());
process.exit(0);
