import { textIfThere } from '../../../platform/text.js';
import type { IdOf } from './access-list.js';

type Kind = Parameters<IdOf>[0];

const databases = { user: 'passwd', group: 'group' } as const;

/** The ids of a passwd or group file, by name. */
function idsOf(text: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (name !== '' && /^\d{1,10}$/.test(id) && !ids.has(name)) ids.set(name, Number(id));
  }
  return ids;
}

/**
 * The users and groups that access lists of an archive name without their numbers (GNU tar's do, unless made with
 * --numeric-owner). As with tar, the names are those of this system; the names that were used are kept, for the
 * imported root may map them to other numbers.
 */
export class KnownIds {
  readonly #ids = new Map<Kind, Map<string, number>>();
  readonly #used = new Map<string, { kind: Kind; name: string; id: number }>();

  readonly idOf: IdOf = (kind, name) => {
    const id = this.#of(kind).get(name);
    if (id !== undefined) this.#used.set(`${kind}:${name}`, { kind, name, id });
    return id;
  };

  /** The first that was used and that a root's own files, given by `read`, map to another number. */
  contradicted(read: (path: string) => string | undefined): { kind: Kind; name: string } | undefined {
    for (const kind of ['user', 'group'] as const) {
      const used = [...this.#used.values()].filter((each) => each.kind === kind);
      const text = used.length === 0 ? undefined : read(`etc/${databases[kind]}`);
      if (text === undefined) continue;
      const own = idsOf(text);
      const found = used.find(({ name, id }) => (own.get(name) ?? id) !== id);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #of(kind: Kind): Map<string, number> {
    const present = this.#ids.get(kind) ?? idsOf(textIfThere(`/etc/${databases[kind]}`));
    this.#ids.set(kind, present);
    return present;
  }
}
