// Prints the licence texts of all that is built into the programs: of the npm packages in the bundle and of Debian's
// libraries in the native programs.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundledPackages, nativeLibraries } from './parts.mjs';

function ofNpm({ path, name, version }) {
  const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${path} has no file with its licence; look for it by hand`);
  return [`${name} ${version}`, readFileSync(join(path, file), 'utf8')];
}

const ofDebian = (library) => [library, readFileSync(`/usr/share/doc/${library}/copyright`, 'utf8')];

for (const [title, text] of [...bundledPackages().map(ofNpm), ...nativeLibraries.map(ofDebian)])
  console.log(`${'-'.repeat(80)}\n${title}\n${'-'.repeat(80)}\n\n${text.trim()}\n`);
