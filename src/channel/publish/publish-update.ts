import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { TargetFile } from '@tufjs/models';
import { dirname, display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { notFound, refused, usage } from '../../base/errors.js';
import { limitNamed, limits } from '../../base/limits.js';
import type { OnBytes } from '../../base/steps.js';
import { namePattern, validateName } from '../../manifest/index.js';
import { checkProcedure, describePackage } from '../../package/index.js';
import { removeDurably, renameDurably } from '../../platform/durable.js';
import { openFlags } from '../../platform/open-flags.js';
import { isThereSync } from '../../platform/walk.js';
import { updatesOf } from '../content.js';
import { packageTarget, targetPath } from '../names.js';
import type { ChannelPackage, ChannelUpdate } from '../types.js';
import type { ChannelDirectory } from './channel-directory.js';
import type { Places } from './places.js';
import { signing } from './signing.js';
import type { SigningRequest } from './signing.js';
import type { SignedState } from './signed-state.js';

export interface PublishRequest extends SigningRequest {
  /** The file that `package build` made. */
  readonly package: BytePath;
  readonly base: string;
  /** By default the package's. */
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  /** Of all machines; by default all, or with a group none. */
  readonly percent?: number | undefined;
  /** Of the package. */
  readonly onBytes?: OnBytes | undefined;
}

/**
 * Adds an update to the end of a channel.
 * @throws LaminaError usage: it is no package, or one for another base; refused: the name was used, or the channel is
 * for another base (CHANNEL_BASE); as `signing`
 */
export async function publishUpdate(request: PublishRequest): Promise<ChannelUpdate> {
  checkPercent(request.percent);
  validateName('base', request.base);
  if (request.group !== undefined) validateGroup(request.group);
  const described = await describe(request.package, request.base);
  const name = validateName('update', request.name ?? described.name);
  return signing(request, async (channel) => {
    const { content } = checked(channel, request.base, name);
    const { file, isNew } = await storePackage(channel.places, request.package, request.onBytes);
    const entry = {
      sequence: content.updates.length + 1,
      name,
      package: file,
      group: request.group ?? null,
      percent: request.percent ?? (request.group === undefined ? 100 : 0),
      from: described.from ?? null,
      to: described.to,
      publishedAt: (request.now ?? new Date()).toISOString(),
    };
    const target = new TargetFile({ path: file.path, length: file.bytes, hashes: { sha256: file.sha256 } });
    const updates = [...content.updates, entry];
    try {
      const next = { content: { ...content, base: request.base, updates }, targets: { [file.path]: target } };
      return updateNamed(await channel.commit({ channel: next }), name);
    } catch (error) {
      // A key is missing, or was not unlocked. What is in force keeps its package.
      const isListed = (await channel.current()).channel.updates.some((each) => each.package.sha256 === file.sha256);
      if (isNew && !isListed) await removeDurably(channel.places.published(targetPath(file.path, file.sha256)));
      throw error;
    }
  });
}

function checked({ state }: ChannelDirectory, base: string, name: string) {
  const content = state.channel;
  if (content.base !== null && content.base !== base)
    throw refused(`the channel is for the base ${content.base}, not for ${base}`, {
      code: 'CHANNEL_BASE',
      hint: 'a channel is for one base: make another channel for the other base',
    });
  if (content.updates.some((each) => each.name === name))
    throw refused(`the channel already has an update ${name}`, {
      code: 'NAME_TAKEN',
      hint: 'machines identify updates by name: give another one with --name',
    });
  if (content.updates.length >= limits.channelUpdates.value)
    throw refused(`the channel has ${content.updates.length} updates; ${limitNamed(limits.channelUpdates)}`, {
      code: 'OVER_LIMIT',
      hint: 'make a new channel, from an image of the base as it is now',
    });
  return { content };
}

async function describe(path: BytePath, base: string) {
  const given = await checkProcedure(path);
  if (given.form !== 'archive')
    throw usage(`${display(path)} is not a package in one file`, {
      code: 'NO_PACKAGE',
      hint: 'make one: lamina package build DIR FILE',
    });
  const described = await describePackage(given);
  if (described.base !== undefined && described.base !== base)
    throw usage(`the package ${display(path)} is for the base ${described.base}, not for ${base}`, {
      code: 'CHANNEL_BASE',
      hint: 'correct "base" in its update.json, or --base',
    });
  return described;
}

/** Copies the package to where it is served from, under its digest. It is in force only with the metadata. */
async function storePackage(
  places: Places,
  path: BytePath,
  onBytes?: OnBytes,
): Promise<{ file: ChannelPackage; isNew: boolean }> {
  const from = await open(toBuffer(path), openFlags.read);
  try {
    const { size } = await from.stat();
    const part = places.published('targets/.package.part');
    await mkdir(toBuffer(dirname(part)), { recursive: true });
    await removeDurably(part);
    const hash = createHash('sha256');
    let bytes = 0;
    const to = await open(toBuffer(part), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
    try {
      for await (const piece of from.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
        bytes += piece.length;
        if (bytes > limits.channelPackage.value)
          throw refused(`${display(path)} is too large; ${limitNamed(limits.channelPackage)}`, { code: 'OVER_LIMIT' });
        hash.update(piece);
        await to.writeFile(piece);
        onBytes?.(bytes, Math.max(bytes, size));
      }
      await to.sync();
    } finally {
      await to.close();
    }
    const sha256 = hash.digest('hex');
    const target = packageTarget(sha256);
    const at = places.published(targetPath(target, sha256));
    const isNew = !isThereSync(at);
    await renameDurably(part, at);
    return { file: { path: target, sha256, bytes }, isNew };
  } catch (error) {
    await removeDurably(places.published('targets/.package.part'));
    throw error;
  } finally {
    await from.close();
  }
}

/** @throws LaminaError notFound: the channel has no such update */
export function updateNamed({ channel, percentages }: SignedState, name: string): ChannelUpdate {
  const update = updatesOf(channel, percentages).find((each) => each.name === name);
  if (update !== undefined) return update;
  throw notFound(`the channel has no update ${display(name)}`, {
    code: 'NO_UPDATE',
    hint: 'lamina channel status shows its updates',
  });
}

export function checkPercent(percent: number | undefined): void {
  if (percent === undefined || (percent >= 0 && percent <= 100)) return;
  throw usage(`${percent} is not a percentage`, { hint: 'give a number from 0 to 100' });
}

function validateGroup(group: string): void {
  if (!namePattern.test(group))
    throw usage(`'${display(group)}' cannot be the name of a group`, {
      code: 'BAD_NAME',
      hint: 'use 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or digit',
    });
}
