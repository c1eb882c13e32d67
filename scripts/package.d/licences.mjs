// Prints the licence texts of all that is built into the programs: of the npm packages in the bundle and of Debian's
// libraries in the native programs.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundledPackages, nativeLibraries } from './parts.mjs';

/** Some packages only name their licence. Then its usual text stands for it, with the author that they name. */
const usual = {
  ISC: `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.`,
  MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
};

function ofNpm({ path, name, version, license }) {
  const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each));
  if (file !== undefined) return [`${name} ${version}`, readFileSync(join(path, file), 'utf8')];
  const { author } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const holder = typeof author === 'string' ? author : author?.name;
  if (usual[license] === undefined || holder === undefined)
    throw new Error(`${path} has no file with its licence (${license}); look for it by hand`);
  return [
    `${name} ${version}`,
    `${license} licence, as its package.json says. Copyright: ${holder}\n\n${usual[license]}`,
  ];
}

const ofDebian = (library) => [library, readFileSync(`/usr/share/doc/${library}/copyright`, 'utf8')];

for (const [title, text] of [...bundledPackages().map(ofNpm), ...nativeLibraries.map(ofDebian)])
  console.log(`${'-'.repeat(80)}\n${title}\n${'-'.repeat(80)}\n\n${text.trim()}\n`);
