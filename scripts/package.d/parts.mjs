// What is built into the programs besides this project's own code.
import { readFileSync } from 'node:fs';

/**
 * Debian's packages of the libraries that native programs hold, headers and static code; the last two are in `laminafs`
 * and `lamina-sandbox`, which are linked to nothing.
 */
export const nativeLibraries = [
  'libxxhash-dev',
  'librust-blake3-dev',
  'nlohmann-json3-dev',
  'libc6-dev',
  'libstdc++-12-dev',
];

/**
 * The npm packages that the bundle may hold: those that src/ depends on, by package-lock.json. `path` is where they are
 * installed.
 */
export function bundledPackages() {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, { version, license, integrity }]) => ({
      path,
      name: path.replace(/^.*node_modules\//, ''),
      version,
      license,
      integrity,
    }));
}
