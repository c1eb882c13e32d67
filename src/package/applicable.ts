import { refused, usage } from '../base/errors.js';
import { baseOf, layerChain, parseRange, updateOf, updatesOf, versionOf } from '../manifest/index.js';
import type { Manifest, Update, UpdateId } from '../manifest/index.js';
import type { Procedure } from './procedure.js';

/** What a command says of how a procedure is to be done. */
export interface HowOptions {
  readonly network?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  readonly alwaysRun?: boolean | undefined;
  readonly conflict?: string | undefined;
  readonly engine?: string | undefined;
  readonly force?: boolean | undefined;
}

/**
 * Checks that the requested options apply to procedures of these kinds.
 * @throws LaminaError usage: an option would do nothing
 */
export function checkHow(
  kinds: readonly string[],
  { network, timeoutMs, alwaysRun, conflict, engine, force }: HowOptions,
): void {
  if (force === true && !kinds.includes('image')) throw idle('--force', 'only an image is refused for what it is');
  const runs = kinds.some((kind) => kind === 'script' || kind === 'package');
  if (runs && conflict !== undefined && kinds.every((kind) => kind === 'script' || kind === 'package'))
    throw idle('--conflict', 'a script runs in each container, so nothing is merged');
  if (runs) return;
  const nothing = 'nothing is run: what was recorded, a layer, or an image, is merged with what containers have';
  if (network === true) throw idle('--network', nothing);
  if (timeoutMs !== undefined) throw idle('--timeout', nothing);
  if (alwaysRun === true) throw idle('--always-run', nothing);
  if (engine !== undefined) throw idle('--engine', nothing);
}

/** Whether a procedure of this kind and form is unpacked. @throws LaminaError usage: --max-size would do nothing */
export function checkMaxBytes(
  { maxBytes, repeated }: { readonly maxBytes?: number | undefined; readonly repeated?: string | undefined },
  kind: string,
  form: string,
): void {
  // `watch` passes it for every update that arrives.
  const unpacks = kind === 'layer' || kind === 'image' || form === 'archive';
  if (maxBytes !== undefined && repeated !== 'report' && !unpacks) throw idle('--max-size', 'nothing is unpacked');
}

function idle(option: string, why: string) {
  return usage(`${option} does nothing here: ${why}`, { code: 'IDLE_OPTION', hint: `leave ${option} out` });
}

/** Whether a package is for this base, and for the version that it has. @throws LaminaError refused */
export function checkPackage(manifest: Manifest, base: string, procedure: Procedure): void {
  const what = `the package '${procedure.defaultName}'`;
  if (procedure.base !== undefined && procedure.base !== base) {
    throw refused(`${what} is for base '${procedure.base}', not for '${base}'`, {
      code: 'OTHER_BASE',
      hint: `apply it to that base: lamina update apply ${procedure.base} …`,
    });
  }
  if (procedure.from === undefined) return;
  const present = versionOf(manifest, base);
  if (present === null) {
    throw refused(`${what} upgrades version ${procedure.from}, but the version of base '${base}' is not known`, {
      code: 'OTHER_VERSION',
      hint: 'import it with --content-version, or apply a package that has "to"',
    });
  }
  if (parseRange(procedure.from)?.(present) === true) return;
  throw refused(`${what} upgrades version ${procedure.from}, and base '${base}' has ${present}`, {
    code: 'OTHER_VERSION',
    hint: 'get the package for that version',
  });
}

/**
 * Whether the base has had the same update already, under any name: the same content, or a package of the same name and
 * version. An update that was rolled back is not in the base any more; a merged one still is.
 * @throws LaminaError refused, naming the first
 */
export function checkRepeated(
  manifest: Manifest,
  base: string,
  { packageName, to }: Pick<Procedure, 'packageName' | 'to'>,
  hash: string,
): void {
  for (const { update } of standing(manifest, base)) {
    const samePackage =
      packageName !== undefined && to !== null && update.name === packageName && update.version === to;
    if (!samePackage && !sameProcedure(update.procedure.hash, hash)) continue;
    const version = samePackage ? ` with version ${to}` : '';
    const again = 'to apply it once more all the same, use --again';
    throw refused(`base '${base}' has this update already: '${update.name}'${version} of ${update.created}`, {
      code: 'APPLIED_ALREADY',
      hint: update.state === 'merged' ? again : `roll it back first: lamina rollback ${update.name}; ${again}`,
    });
  }
}

/**
 * The update that a procedure has made of the base already: of the same content, and with the name that it gives
 * itself. For callers that must not apply an update twice; `checkRepeated` is for a user who asks for it twice.
 */
export function findApplied(
  manifest: Manifest,
  base: string,
  { defaultName }: Procedure,
  hash: string,
): { id: UpdateId; update: Update } | undefined {
  const isOwn = (name: string) => name === defaultName || name.replace(/-\d+$/, '') === defaultName;
  return standing(manifest, base).find(
    ({ update }) => sameProcedure(update.procedure.hash, hash) && isOwn(update.name),
  );
}

/** Digits of the part that updates of older versions have alone: an xxh64. */
const oldDigits = 16;

/** Whether two `procedure.hash` are of the same content. */
export function sameProcedure(a: string, b: string): boolean {
  const old = a.length === oldDigits || b.length === oldDigits;
  return old ? a.slice(0, oldDigits) === b.slice(0, oldDigits) : a === b;
}

/** The updates in the lineage of a base. */
function standing(manifest: Manifest, base: string): { id: UpdateId; update: Update }[] {
  const lineage = new Set(layerChain(manifest, baseOf(manifest, base).head));
  return updatesOf(manifest, base)
    .map((id) => ({ id, update: updateOf(manifest, id) }))
    .filter(({ update }) => update.state !== 'rolled-back' && lineage.has(update.layer));
}
