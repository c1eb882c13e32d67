import { display } from '../../base/bytes.js';
import { refused } from '../../base/errors.js';
import type { View } from '../../changeset/index.js';
import { compareVersions } from '../../manifest/index.js';
import { compareApkVersions } from '../../records/index.js';
import type { RootFacts } from './root-facts.js';

/** A root, and what is known of it. */
export interface Side {
  readonly facts: RootFacts;
  /** Of its image, where it has one. */
  readonly architecture: string | undefined;
  readonly view: View;
}

/** How the image and the base are called. */
export interface Names {
  readonly image: string;
  readonly base: string;
}

const force = 'if this is meant, apply it with --force; else make another base of it: lamina base import';

/**
 * Whether a base may become what an image is.
 * @throws LaminaError refused: it is another system, or an older one
 */
export function checkFitness(names: Names, base: Side, image: Side): void {
  const [from, to] = [base.facts.distribution, image.facts.distribution];
  if (from !== undefined && from !== to)
    throw refused(`${names.image} is ${said(to)}, and base '${names.base}' is ${said(from)}: ${lost(base, image)}`, {
      code: 'OTHER_DISTRIBUTION',
      hint: force,
    });
  const [was, will] = [architectureOf(base), architectureOf(image)];
  if (was !== undefined && will !== undefined && was !== will)
    throw refused(`${names.image} is for ${will}, and base '${names.base}' for ${was}: ${lost(base, image)}`, {
      code: 'OTHER_ARCHITECTURE',
      hint: force,
    });
  const older = olderBy(base.facts, image.facts);
  if (older !== undefined)
    throw refused(`${names.image} is older than base '${names.base}': ${older}`, {
      code: 'OLDER_IMAGE',
      hint: 'to go back, roll back the update that made the base newer; if an older image is meant, apply it with --force',
    });
}

const said = (id: string | undefined) => (id === undefined ? 'of an unknown distribution' : `of '${shown(id)}'`);
const shown = (text: string) => display(text.slice(0, 100));

const architectureOf = ({ architecture, facts }: Side) => architecture ?? facts.architecture;

function olderBy(base: RootFacts, image: RootFacts): string | undefined {
  const rows = [
    ['VERSION_ID', base.version, image.version],
    ['base-files', base.baseFiles, image.baseFiles],
  ] as const;
  const compare = base.hasApk ? compareApkVersions : compareVersions;
  for (const [what, was, will] of rows) {
    if (was === undefined || will === undefined) continue;
    const order = compare(will, was);
    if (order > 0) return undefined;
    if (order < 0) return `${what} ${shown(will)} after ${shown(was)}`;
  }
  return undefined;
}

/** What a base loses, in figures. */
function lost({ view }: Side, { view: after }: Side): string {
  let [all, gone] = [0, 0];
  for (const { path } of view.walk()) {
    all += 1;
    if (after.get(path) === undefined) gone += 1;
  }
  return `${gone} of its ${all} paths would be gone, and with them what the packages and accounts of its containers need`;
}
