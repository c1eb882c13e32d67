// Prints the software bill of materials (CycloneDX 1.5, JSON): the libraries in the bundle, those built into the native
// programs by Debian's versions of them, and with --with-node the Node.js that runs this. It says no time, so that
// equal parts give equal documents.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { bundledPackages, nativeLibraries } from './parts.mjs';

const { name, version, license, description } = JSON.parse(readFileSync('package.json', 'utf8'));
const licences = (id) => [{ license: { id } }];

function ofNpm({ path, name, version, license, integrity }) {
  const hash = Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex');
  return {
    type: 'library',
    'bom-ref': path,
    name,
    version,
    hashes: [{ alg: 'SHA-512', content: hash }],
    licenses: licences(license),
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  };
}

function ofDebian(library) {
  const [found] = execFileSync('dpkg-query', ['-W', '-f', '${Version}\n', library], { encoding: 'utf8' }).split('\n');
  const purl = `pkg:deb/debian/${library}@${encodeURIComponent(found)}`;
  return { type: 'library', 'bom-ref': purl, name: library, version: found, purl };
}

function ofNode() {
  const purl = `pkg:generic/node@${process.versions.node}`;
  return { type: 'application', 'bom-ref': purl, name: 'node', version: process.versions.node, purl };
}

const document = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: {
    component: { type: 'application', 'bom-ref': name, name, version, description, licenses: licences(license) },
  },
  components: [
    ...bundledPackages().map(ofNpm),
    ...nativeLibraries.map(ofDebian),
    ...(process.argv.includes('--with-node') ? [ofNode()] : []),
  ],
};
console.log(JSON.stringify(document, null, 2));
