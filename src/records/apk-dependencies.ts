import { linesOf, textOf } from './keyed.js';
import { quoted } from './outcome.js';
import { stanzasOf } from './stanzas.js';

/**
 * What the packages of apk's `installed` need and do not have, or have and must not: a line for each, with their names.
 * Compared are names, and exact versions (`name=1.2`); apk's order of versions is not known here.
 * @throws OtherFormat
 */
export function unsatisfiedByApk(installed: Uint8Array): string[] {
  const packages = stanzasOf(textOf(installed)).map(packageOf);
  const offers = new Map<string, Set<string>>();
  for (const { name, version, provides } of packages) {
    for (const [offered, at] of [[name, version] as const, ...provides.map(nameAndVersion)]) {
      const versions = offers.get(offered) ?? new Set();
      offers.set(offered, versions.add(at));
    }
  }
  return packages.flatMap(({ name, needs }) =>
    needs.flatMap((need) => {
      const isForbidden = need.startsWith('!');
      const [wanted, version] = nameAndVersion(isForbidden ? need.slice(1) : need);
      const versions = offers.get(wanted);
      const isThere = versions !== undefined && (version === '' || versions.has(version));
      if (isThere !== isForbidden || (isForbidden && wanted === name)) return [];
      return [`${quoted(name)} ${isForbidden ? 'conflicts with' : 'depends on'} ${quoted(need.replace(/^!/, ''))}`];
    }),
  );
}

interface Package {
  readonly name: string;
  readonly version: string;
  readonly needs: readonly string[];
  readonly provides: readonly string[];
}

function packageOf(record: string): Package {
  const fields = new Map<string, string>();
  for (const line of linesOf(record))
    if (line[1] === ':' && !fields.has(line[0] ?? '')) fields.set(line[0] ?? '', line.slice(2));
  const words = (letter: string) => (fields.get(letter) ?? '').split(' ').filter((word) => word !== '');
  return { name: fields.get('P') ?? '', version: fields.get('V') ?? '', needs: words('D'), provides: words('p') };
}

/** Of `name=1.2`; of any other bound the name alone. */
function nameAndVersion(text: string): readonly [name: string, version: string] {
  const [, name = '', operator = '', version = ''] = /^([^=<>~@]*)([=<>~]*)([^@]*)/.exec(text) ?? [];
  return [name, operator === '=' ? version : ''];
}
