import type * as z from 'zod';
import { display } from '../../base/bytes.js';
import { usage } from '../../base/errors.js';
import type * as bodies from './action-bodies.js';

/*
 * The words of the commands that actions run. Values are joined to their options, and names come after `--`: what
 * begins with a dash is never taken for an option.
 */

const flag = (option: string, given: boolean | undefined) => (given === true ? [`--${option}`] : []);
const value = (option: string, given: string | number | undefined) =>
  given === undefined ? [] : [`--${option}=${given}`];
const each = (option: string, given: readonly string[] | undefined) =>
  (given ?? []).flatMap((one) => value(option, one));

type Body<Schema extends z.ZodType> = z.output<Schema>;

/** @throws LaminaError usage: the procedure is neither an absolute path nor an image */
export async function applyWords(
  body: Body<typeof bodies.previewBody> & Partial<Pick<Body<typeof bodies.applyBody>, 'health' | 'restart'>>,
  dryRun: boolean,
): Promise<string[]> {
  await requireOnServer(body.procedure, 'procedure');
  return [...appliedWords(body), ...flag('dry-run', dryRun), ...['--', body.base, body.procedure]];
}

export const redoWords = (update: string, body: Body<typeof bodies.redoBody>): string[] => [
  ...appliedWords(body),
  ...flag('dry-run', body.dryRun),
  ...['--', update],
];

type Applied = Omit<Body<typeof bodies.previewBody>, 'base' | 'procedure'> &
  Partial<Pick<Body<typeof bodies.applyBody>, 'health' | 'restart'>>;

function appliedWords(body: Applied): string[] {
  return [
    ...value('name', body.name),
    ...each('container', body.containers),
    ...flag('network', body.network),
    ...value('timeout', body.timeout),
    ...value('engine', body.engine),
    ...value('jobs', body.jobs),
    ...value('on-failure', body.onFailure),
    ...value('conflict', body.conflict),
    ...value('max-size', body.maxSize),
    ...flag('check-determinism', body.checkDeterminism),
    ...flag('again', body.again),
    ...flag('force', body.force),
    ...flag('always-run', body.alwaysRun),
    ...flag('no-health', body.health === false),
    ...flag('restart', body.restart),
  ];
}

/** Paths are those of the server: a relative one would be relative to nothing that the caller knows. */
async function requireOnServer(text: string, what: string): Promise<void> {
  if (text.startsWith('/')) return;
  const { namesImage } = await import('../../app/import-image.js');
  if (namesImage(text)) return;
  throw usage(`the ${what} '${display(text)}' is neither an absolute path on the server nor an image`, {
    hint: 'give an absolute path, or an image with its transport, such as docker://debian:12',
  });
}

export const rollbackWords = (update: string, body: Body<typeof bodies.rollbackBody>): string[] => [
  ...each('container', body.containers),
  ...flag('discard', body.discard),
  ...flag('with-newer', body.withNewer),
  ...flag('dry-run', body.dryRun),
  ...['--', update],
];

export const mergeWords = (base: string, body: Body<typeof bodies.mergeBody>): string[] => [
  ...value('keep', body.keep),
  ...flag('yes', body.yes && !body.dryRun),
  ...flag('dry-run', body.dryRun),
  ...['--', base],
];

export const catchUpWords = (container: string, body: Body<typeof bodies.catchUpBody>): string[] => [
  ...value('timeout', body.timeout),
  ...value('conflict', body.conflict),
  ...value('on-failure', body.onFailure),
  ...value('engine', body.engine),
  ...flag('no-health', !body.health),
  ...flag('always-run', body.alwaysRun),
  ...flag('dry-run', body.dryRun),
  ...['--', container],
];

/** @throws LaminaError usage: the directory is a relative path */
export function mountWords(container: string, body: Body<typeof bodies.mountBody>): string[] {
  const { directory } = body;
  if (!directory.startsWith('/'))
    throw usage(`the directory '${display(directory)}' is not an absolute path on the server`, {
      hint: 'give the absolute path of an empty directory',
    });
  return [
    ...flag('read-only', body.readOnly),
    ...value('engine', body.engine),
    ...value('mode', body.mode),
    ...flag('suid', body.suid),
    ...flag('dev', body.dev),
    ...['--', container, directory],
  ];
}

/** @throws LaminaError usage: the source is neither an absolute path nor an image */
export async function importWords(body: Body<typeof bodies.importBody>): Promise<string[]> {
  await requireOnServer(body.source, 'source');
  return [
    ...value('content-version', body.contentVersion),
    ...flag('empty', body.empty),
    ...value('max-size', body.maxSize),
    ...value('platform', body.platform),
    ...['--', body.name, body.source],
  ];
}

export const restoreWords = (id: string, body: Body<typeof bodies.restoreBody>): string[] => [
  ...flag('force', body.force),
  ...['--', id, ...(body.path === undefined ? [] : [body.path])],
];

export const dropWords = (body: Body<typeof bodies.dropBody>): string[] => [
  ...value('container', body.container),
  ...flag('all', body.all),
  ...['--', ...body.ids],
];

/** @throws LaminaError usage: `from` is a relative path */
export function createWords(body: Body<typeof bodies.createBody>): string[] {
  const { from } = body;
  if (from !== undefined && !/^(\/|podman:|lxc:)/.test(from))
    throw usage(`the root '${display(from)}' is not an absolute path on the server`, {
      hint: 'give an absolute path, podman:NAME or lxc:NAME',
    });
  return [
    ...value('base', body.base),
    ...value('from', from),
    ...flag('force', body.force),
    ...value('max-size', body.maxSize),
    ...['--', body.name],
  ];
}

export const verifyWords = (body: Body<typeof bodies.verifyBody>): string[] => [
  ...flag('quick', body.quick),
  ...flag('repair', body.repair),
  ...['--', ...body.nodes],
];
