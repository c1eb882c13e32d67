import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as z from 'zod';
import { failed, isSystemError } from '../../../base/errors.js';
import { isRecord, jsonOf } from '../../../base/json.js';

export interface Login {
  readonly user: string;
  readonly password: string;
  /** In the place of a password, by logins of some registries (OAuth 2). */
  readonly identityToken: string | undefined;
}

const entrySchema = z.looseObject({ auth: z.string().optional(), identitytoken: z.string().optional() });

/** Where podman, skopeo and docker keep logins, in the order in which they look (containers-auth.json(5)). */
function authFiles(environment: NodeJS.ProcessEnv): { readonly path: string; readonly isRequired: boolean }[] {
  const named = environment['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') return [{ path: named, isRequired: true }];
  const runtime = environment['XDG_RUNTIME_DIR'] ?? `/run/containers/${process.getuid?.() ?? 0}`;
  const config = environment['XDG_CONFIG_HOME'] ?? `${homedir()}/.config`;
  const docker = environment['DOCKER_CONFIG'] ?? `${homedir()}/.docker`;
  const inRuntime = process.getuid?.() === 0 ? '/run/containers/0/auth.json' : `${runtime}/containers/auth.json`;
  return [inRuntime, `${config}/containers/auth.json`, `${docker}/config.json`].map((path) => ({
    path,
    isRequired: false,
  }));
}

/**
 * The login for a repository: that of the longest part of its name that has one, as `podman login` stores it.
 * @param repository with its registry, for example `registry.example:5000/team/channel`
 * @throws LaminaError failed (CHANNEL_LOGIN): an auth file cannot be read, is not valid, or has only a helper
 */
export async function loginFor(repository: string, environment = process.env): Promise<Login | undefined> {
  for (const { path, isRequired } of authFiles(environment)) {
    const document = await readAuthFile(path, isRequired);
    if (document === undefined) continue;
    const registry = repository.split('/')[0] ?? '';
    const helper = isRecord(document['credHelpers']) ? document['credHelpers'][registry] : undefined;
    const auths = isRecord(document['auths']) ? document['auths'] : {};
    for (const name of namesOf(repository)) {
      const entry = entrySchema.safeParse(auths[name]).data ?? entrySchema.safeParse(auths[`https://${name}`]).data;
      const login = entry === undefined ? undefined : loginOf(entry, path);
      if (login !== undefined) return login;
    }
    if (typeof helper === 'string')
      throw badAuth(path, `it delegates the login of ${registry} to the helper ${helper}, which is not supported`);
  }
  return undefined;
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
