import { toText } from '../../base/bytes.js';
import { must, refused } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import { checkRunEngine } from '../../capture/index.js';
import { imageName } from '../../image/index.js';
import type { OpenedImage } from '../../image/index.js';
import {
  baseOf,
  checkUpdateName,
  containerOf,
  containersOn,
  imageAt,
  stackOf,
  validateName,
} from '../../manifest/index.js';
import type { Manifest, Update } from '../../manifest/index.js';
import { engineFor } from '../../mount/index.js';
import {
  checkHow,
  checkMaxBytes,
  checkPackage,
  checkProcedure,
  checkRepeated,
  findApplied,
  settingsOf,
  storeImageProcedure,
  storeProcedure,
  writeSettings,
} from '../../package/index.js';
import type { GivenProcedure, Procedure } from '../../package/index.js';
import { stageFromChannel } from '../../store/index.js';
import type { Store } from '../../store/index.js';
import { previewChange, publishChange, withChange } from '../../transaction/index.js';
import type { ChangeContext } from '../../transaction/index.js';
import { lastingReference, nameOfImage, withUpdateImage } from '../image/open.js';
import { ApplyChange } from './apply-change.js';
import type { ApplyRequest, ApplyResult } from './apply-request.js';
import { attemptOf, onRecord } from './attempt.js';

/**
 * Services a base and its containers by a procedure, in one transaction.
 * @throws LaminaError refused: a container is mounted, the name is taken; failed: the procedure failed; Unhealthy: a
 * container failed its health check; nothing was changed
 */
export async function applyUpdate(store: Store, request: ApplyRequest): Promise<ApplyResult> {
  const before = await store.read();
  const base = baseOf(before, request.base);
  if (request.name !== undefined) checkNewName(before, request.name);
  for (const container of request.containers ?? []) checkContainer(before, container, request.base, base.head);
  const source = toText(request.procedure);
  const given = imageName(source) === undefined ? await checkProcedure(request.procedure, request.procedureAt) : source;
  const begin = { kind: 'update', details: { base: request.base }, signal: request.signal };
  return withChange(store, begin, async (context) => applyIn(context, request, given));
}

/** What is applied, stored in the transaction. */
export interface Stored {
  readonly procedure: Procedure;
  readonly stored: Update['procedure'];
  readonly form: GivenProcedure['form'];
  readonly image?: OpenedImage | undefined;
}

/** @param given the name of an image, or another procedure */
async function applyIn(
  context: ChangeContext,
  request: ApplyRequest,
  given: GivenProcedure | string,
): Promise<ApplyResult> {
  const { transaction, hold } = context;
  const manifest = await transaction.store.read();
  const { head } = baseOf(manifest, request.base);
  await hold.addPresent(manifest, request.containers ?? containersOn(manifest, request.base, head));
  const { procedure: target } = transaction.paths.update;
  const { force = false, maxBytes, signal } = request;
  const open = { transaction, present: imageAt(manifest, request.base, head), force, maxBytes, signal };
  if (typeof given === 'string') {
    const reference = lastingReference(given);
    return withUpdateImage({ ...open, image: { reference, digest: undefined } }, async (image) => {
      const digest = image.manifestDigest ?? image.configDigest;
      const kept = await storeImageProcedure({ reference, digest }, nameOfImage(reference), target);
      return applyStored(context, request, { ...kept, form: 'directory', image });
    });
  }
  const kept = await storeProcedure(given, target, maxBytes);
  const { image } = kept.procedure;
  if (image === undefined) return applyStored(context, request, { ...kept, form: given.form });
  const inPackage = { at: target, source: given.source };
  return withUpdateImage({ ...open, image, inPackage }, async (opened) =>
    applyStored(context, request, { ...kept, form: given.form, image: opened }),
  );
}

export async function applyStored(
  context: ChangeContext,
  request: ApplyRequest,
  { procedure, stored, form, image }: Stored,
): Promise<ApplyResult> {
  const { transaction } = context;
  const manifest = await transaction.store.read();
  const { head } = baseOf(manifest, request.base);
  const containers = request.containers ?? containersOn(manifest, request.base, head);
  const applied =
    request.repeated === 'report' ? findApplied(manifest, request.base, procedure, stored.hash) : undefined;
  if (applied !== undefined) {
    await transaction.discard();
    return { ...applied, already: true };
  }
  checkHow([procedure.kind], request);
  if (procedure.kind !== 'layer' && image === undefined) {
    const depths = new Map(containers.map((name) => [name, stackOf(manifest, name).nodes.length]));
    checkRunEngine(engineFor(transaction.store, request.engine), procedure, depths);
  }
  checkMaxBytes(request, procedure.kind, form);
  if (request.repeated !== 'apply') checkRepeated(manifest, request.base, procedure, stored.hash);
  checkPackage(manifest, request.base, procedure);
  writeSettings(transaction.paths.update.settings, settingsOf(request));
  if (request.channel !== undefined) stageFromChannel(transaction.paths.update.channel, request.channel);
  const name = request.name ?? freeName(manifest, request.preferredName ?? procedure.defaultName);
  const begun = { id: newId('u'), name, head, stored, procedure, image };
  const change = new ApplyChange(context, request, begun);
  if (request.dryRun === true) return preview(context, change);
  const attempt = attemptOf({ ...begun, base: request.base, containers });
  return onRecord(transaction, { attempt, signal: request.signal }, async () => publish(context, change));
}

async function publish(context: ChangeContext, change: ApplyChange): Promise<ApplyResult> {
  const published = await publishChange(context, change);
  const { determinism } = change;
  if (published === undefined) return { id: undefined, update: undefined, determinism };
  const id = change.update;
  return { id, update: must(published.updates[id], `update ${id}`), determinism };
}

async function preview(context: ChangeContext, change: ApplyChange): Promise<ApplyResult> {
  const seen = await previewChange(context, change, async (manifest) => change.preview(manifest));
  return { id: undefined, update: undefined, preview: seen, determinism: change.determinism };
}

function checkNewName(manifest: Manifest, name: string): void {
  validateName('update', name);
  checkUpdateName(manifest, name);
}

function freeName(manifest: Manifest, wanted: string): string {
  const taken = new Set(Object.values(manifest.updates).map((update) => update.name));
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? wanted : `${wanted}-${count}`;
    if (!taken.has(candidate)) return validateName('update', candidate);
  }
}

function checkContainer(manifest: Manifest, name: string, base: string, head: string): void {
  const container = containerOf(manifest, name);
  if (container.base === base && container.layer === head) return;
  throw refused(`container '${name}' is not on the newest layer of base '${base}'`, {
    code: 'NOT_ON_HEAD',
    hint:
      container.base === base
        ? `it stayed behind: bring it there first with lamina update catch-up ${name}`
        : `it belongs to base '${container.base}'`,
  });
}
