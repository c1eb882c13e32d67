// Prints the package.json of the package that people install: all libraries are in the bundle, and the native programs
// are for machines like this one.
import { readFileSync, readdirSync } from 'node:fs';

const { dependencies, devDependencies, scripts, ...manifest } = JSON.parse(readFileSync('package.json', 'utf8'));
const man = readdirSync('man').map((page) => `man/${page}`);
const files = [...manifest.files, 'sbom.cdx.json'];
console.log(JSON.stringify({ ...manifest, files, man, cpu: [process.arch], libc: ['glibc'] }, null, 2));
