import { apkVersionFits } from './apk-versions.js';
import { linesOf, textOf } from './keyed.js';
import { OtherFormat, quoted } from './outcome.js';
import { stanzasOf } from './stanzas.js';

/** What each dependency on a name is compared with: so many packages may be, or provide, one name. */
const mostOffers = 250;
/** Of characters. Each version may be compared with many. */
const longestVersion = 1000;

/**
 * What the packages of apk's `installed` need and do not have, or have and must not: a line for each, with their names
 * (apk-package(5), "depends" and "provides").
 * @throws OtherFormat
 */
export function unsatisfiedByApk(installed: Uint8Array): string[] {
  const packages = stanzasOf(textOf(installed)).map(packageOf);
  const offers = new Map<string, Offer[]>();
  for (const by of packages) {
    addOffer(offers, by.name, { by, version: by.version });
    for (const { name, version } of by.provides) addOffer(offers, name, { by, version });
  }
  return packages.flatMap((each) =>
    each.needs.flatMap((need) => {
      const isThere = offers.get(need.name)?.some((offer) => meets(offer, need, each)) === true;
      if (isThere !== need.isForbidden) return [];
      return [`${quoted(each.name)} ${need.isForbidden ? 'conflicts with' : 'depends on'} ${quoted(need.text)}`];
    }),
  );
}

interface Relation {
  /** As it is written, without `!`. */
  readonly text: string;
  readonly isForbidden: boolean;
  readonly name: string;
  readonly operator: string;
  readonly version: string;
}

interface Package {
  readonly name: string;
  readonly version: string;
  /** Of its metadata. */
  readonly checksum: string;
  readonly needs: readonly Relation[];
  readonly provides: readonly Relation[];
}

/** What a name stands for; `version` '': any. */
interface Offer {
  readonly by: Package;
  readonly version: string;
}

function addOffer(offers: Map<string, Offer[]>, name: string, offer: Offer): void {
  if (offer.version.length > longestVersion) throw new OtherFormat(`a version of ${name} is too long`);
  const known = offers.get(name);
  if (known === undefined) offers.set(name, [offer]);
  else if (known.push(offer) > mostOffers) throw new OtherFormat(`too many packages are, or provide, ${name}`);
}

function meets({ by, version }: Offer, need: Relation, asking: Package): boolean {
  // A package does not conflict with itself.
  if (need.isForbidden && by === asking) return false;
  if (need.operator === '><') return by.checksum === need.version;
  return need.operator === '' || version === '' || apkVersionFits(version, need.operator, need.version);
}

function packageOf(record: string): Package {
  const fields = new Map<string, string>();
  for (const line of linesOf(record))
    if (line[1] === ':' && !fields.has(line[0] ?? '')) fields.set(line[0] ?? '', line.slice(2));
  const field = (letter: string) => fields.get(letter) ?? '';
  const relations = (letter: string) =>
    field(letter)
      .split(' ')
      .filter((word) => word !== '')
      .map(relationOf);
  return {
    ...{ name: field('P'), version: field('V'), checksum: field('C') },
    ...{ needs: relations('D'), provides: relations('p') },
  };
}

/** Of `name`, `name=1.2`, `!name<3`, `name@repository`. */
function relationOf(word: string): Relation {
  const isForbidden = word.startsWith('!');
  const text = isForbidden ? word.slice(1) : word;
  const [, name = '', operator = '', version = ''] = /^([^=<>~@]*)(?:@[^=<>~]*)?([=<>~]*)([^@]*)/.exec(text) ?? [];
  return { text, isForbidden, name, operator, version };
}
