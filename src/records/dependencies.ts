import { compareVersions } from '../manifest/index.js';
import { textOf } from './keyed.js';
import { OtherFormat, quoted } from './outcome.js';
import { isInstalled } from './packages.js';
import { fieldsOf, stanzasOf, valueOf } from './stanzas.js';
import type { Fields } from './stanzas.js';

interface Package {
  readonly name: string;
  readonly version: string;
  readonly fields: Fields;
}

/** What a name stands for; `version` undefined: a provided name without one. */
interface Offer {
  readonly by: string;
  readonly version: string | undefined;
  readonly isReal: boolean;
}

interface Relation {
  readonly name: string;
  readonly operator: string;
  readonly version: string;
}

/**
 * What the packages of a dpkg status need and do not have, or have and must not (deb822: Depends, Pre-Depends,
 * Conflicts, Breaks): a line for each, with their names.
 * @throws OtherFormat
 */
export function unsatisfied(status: Uint8Array): string[] {
  const packages = stanzasOf(textOf(status)).map(fieldsOf).filter(isInstalled).map(packageOf);
  const offers = offersOf(packages);
  return packages.flatMap((each) => [...missing(each, offers), ...forbidden(each, offers)]);
}

const packageOf = (fields: Fields): Package => ({
  name: valueOf(fields, 'Package'),
  version: valueOf(fields, 'Version'),
  fields,
});

/** What each dependency on a name is compared with. Debian's most common one has about a hundred. */
const mostOffers = 250;

function offersOf(packages: readonly Package[]): ReadonlyMap<string, readonly Offer[]> {
  const offers = new Map<string, Offer[]>();
  const add = (name: string, offer: Offer) => {
    const known = offers.get(name);
    if (known === undefined) offers.set(name, [offer]);
    else if (known.push(offer) > mostOffers) throw new OtherFormat(`too many packages are, or provide, ${name}`);
  };
  for (const { name, version, fields } of packages) {
    add(name, { by: name, version, isReal: true });
    for (const [only] of relationsOf(valueOf(fields, 'Provides')))
      if (only !== undefined)
        add(only.name, { by: name, version: only.operator === '=' ? only.version : undefined, isReal: false });
  }
  return offers;
}

/** A list of alternatives. */
function relationsOf(text: string): Relation[][] {
  return text
    .split(',')
    .filter((each) => each.trim() !== '')
    .map((each) => each.split('|').map(relationOf));
}

function relationOf(text: string): Relation {
  const [, name = '', operator = '', version = ''] =
    /^\s*([^\s(:[<]+)(?::[a-z0-9-]+)?\s*(?:\(\s*([<>=]{1,2})\s*([^\s)]+)\s*\))?/.exec(text) ?? [];
  return { name, operator, version };
}

const holds: Readonly<Record<string, (order: number) => boolean>> = {
  '': () => true,
  '<<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '=': (order) => order === 0,
  '>=': (order) => order >= 0,
  '>>': (order) => order > 0,
};

function fits({ operator, version }: Relation, offer: Offer): boolean {
  if (operator === '') return true;
  return offer.version !== undefined && holds[operator]?.(compareVersions(offer.version, version)) === true;
}

function relationText(alternatives: readonly Relation[]): string {
  return quoted(
    alternatives
      .map(({ name, operator, version }) => (operator === '' ? name : `${name} (${operator} ${version})`))
      .join(' | '),
  );
}

function missing({ name, fields }: Package, offers: ReadonlyMap<string, readonly Offer[]>): string[] {
  return ['Pre-Depends', 'Depends'].flatMap((field) =>
    relationsOf(valueOf(fields, field))
      .filter(
        (alternatives) =>
          !alternatives.some((each) => offers.get(each.name)?.some((offer) => fits(each, offer)) === true),
      )
      .map((alternatives) => `${quoted(name)} depends on ${relationText(alternatives)}`),
  );
}

function forbidden({ name, fields }: Package, offers: ReadonlyMap<string, readonly Offer[]>): string[] {
  return Object.entries({ Conflicts: 'conflicts with', Breaks: 'breaks' }).flatMap(([field, does]) =>
    relationsOf(valueOf(fields, field)).flatMap(([only]) => {
      const there = only && offers.get(only.name)?.find((offer) => offer.by !== name && fits(only, offer));
      return there === undefined || only === undefined ? [] : [`${quoted(name)} ${does} ${relationText([only])}`];
    }),
  );
}
