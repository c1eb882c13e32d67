import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as z from 'zod';
import { printable } from '../../../base/bytes.js';
import { failed, isSystemError } from '../../../base/errors.js';
import { isRecord, jsonOf } from '../../../base/json.js';
import { HelperFault, askHelper } from './credential-helper.js';
import type { Login } from './login.js';

const entrySchema = z.looseObject({ auth: z.string().optional(), identitytoken: z.string().optional() });

/** Where podman, skopeo and docker keep logins, in the order in which they look (containers-auth.json(5)). */
function authFiles(environment: NodeJS.ProcessEnv): { readonly path: string; readonly isRequired: boolean }[] {
  const named = environment['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') return [{ path: named, isRequired: true }];
  const runtime = environment['XDG_RUNTIME_DIR'] ?? '';
  const config = environment['XDG_CONFIG_HOME'] ?? `${homedir()}/.config`;
  const docker = environment['DOCKER_CONFIG'] ?? `${homedir()}/.docker`;
  const paths = [
    ...(runtime === '' ? [] : [`${runtime}/containers/auth.json`]),
    `/run/containers/${process.getuid?.() ?? 0}/auth.json`,
    `${config}/containers/auth.json`,
    `${docker}/config.json`,
  ];
  return paths.map((path) => ({ path, isRequired: false }));
}

/**
 * The login for a repository, in the order of containers-auth.json(5): that of the helper which `credHelpers` names for
 * its registry, or else that of the longest part of its name that has one, as `podman login` stores it; or else that of
 * `credsStore`, which Docker uses for all registries.
 * @param repository with its registry, for example `registry.example:5000/team/channel`
 * @throws LaminaError failed (CHANNEL_LOGIN): an auth file cannot be read or is not valid, or its helper fails; the
 * signal's reason
 */
export async function loginFor(
  repository: string,
  { environment = process.env, signal }: { environment?: NodeJS.ProcessEnv; signal?: AbortSignal | undefined } = {},
): Promise<Login | undefined> {
  const registry = repository.split('/')[0] ?? '';
  for (const { path, isRequired } of authFiles(environment)) {
    const document = await readAuthFile(path, isRequired);
    if (document === undefined) continue;
    const helper = textAt(document['credHelpers'], registry);
    const store = textAt(document, 'credsStore');
    const login =
      helper === undefined
        ? (storedLogin(document, repository, path) ?? (await helperLogin(store, registry, path, signal)))
        : await helperLogin(helper, registry, path, signal);
    if (login !== undefined) return login;
  }
  return undefined;
}

function textAt(record: unknown, key: string): string | undefined {
  const value = isRecord(record) && Object.hasOwn(record, key) ? record[key] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function storedLogin(document: Record<string, unknown>, repository: string, path: string): Login | undefined {
  const auths = isRecord(document['auths']) ? document['auths'] : {};
  for (const name of namesOf(repository)) {
    const entry = entrySchema.safeParse(auths[name]).data ?? entrySchema.safeParse(auths[`https://${name}`]).data;
    const login = entry === undefined ? undefined : loginOf(entry, path);
    if (login !== undefined) return login;
  }
  return undefined;
}

async function helperLogin(
  helper: string | undefined,
  registry: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Login | undefined> {
  if (helper === undefined) return undefined;
  const shown = printable(helper.slice(0, 100));
  try {
    return await askHelper(helper, registry, { signal });
  } catch (error) {
    if (!(error instanceof HelperFault)) throw error;
    throw failed(`the credential helper '${shown}' has no login for ${registry}: ${error.message}`, {
      code: 'CHANNEL_LOGIN',
      hint: `${path} names it: install docker-credential-${shown}, or log in with podman login or skopeo login to another file, and name that in REGISTRY_AUTH_FILE`,
      cause: error,
    });
  }
}

/** `a/b/c`, `a/b`, `a`. */
function namesOf(repository: string): string[] {
  const parts = repository.split('/');
  return parts.map((_, i) => parts.slice(0, parts.length - i).join('/'));
}

function loginOf({ auth, identitytoken }: z.infer<typeof entrySchema>, path: string): Login | undefined {
  if ((auth ?? '') === '' && identitytoken === undefined) return undefined;
  const text = Buffer.from(auth ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0 && identitytoken === undefined) throw badAuth(path, 'a login in it is not "user:password" in base64');
  return { user: text.slice(0, Math.max(0, colon)), password: text.slice(colon + 1), identityToken: identitytoken };
}

async function readAuthFile(path: string, isRequired: boolean): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (!isRequired && isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw badAuth(path, 'it cannot be read', error);
  }
  const value = jsonOf(text);
  if (isRecord(value)) return value;
  throw badAuth(path, 'it is not valid JSON');
}

/** Nothing of its content is shown. */
function badAuth(path: string, why: string, cause?: unknown) {
  return failed(`the auth file ${path} cannot be used: ${why}`, {
    code: 'CHANNEL_LOGIN',
    hint: 'log in to the registry with podman login or skopeo login, or name another file in REGISTRY_AUTH_FILE',
    cause,
  });
}
