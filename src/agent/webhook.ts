import { isRecord, jsonOf } from '../base/json.js';

const mostNames = 1000;

/**
 * The repositories that a registry's notification is about. Understood are the bodies of Distribution (docker-registry,
 * zot, GitLab), Docker Hub, Harbor, Quay and GitHub Packages.
 * @returns undefined: it says nothing of repositories, and may be about anything
 */
export function repositoriesIn(body: string): readonly string[] | undefined {
  const value = jsonOf(body);
  if (!isRecord(value)) return undefined;
  const names = [
    // Distribution: an envelope of events, pulls included.
    ...listIn(value, 'events').flatMap((event) => (isPull(event) ? [] : textAt(event, 'target', 'repository'))),
    // Harbor
    ...textAt(value, 'event_data', 'repository', 'repo_full_name'),
    // Docker Hub
    ...textAt(value, 'repository', 'repo_name'),
    // Quay
    ...(isRecord(value['repository']) ? [] : textAt(value, 'repository')),
    // GitHub Packages
    ...githubName(value['registry_package'] ?? value['package']),
  ];
  if (names.length > 0) return names.slice(0, mostNames);
  return listIn(value, 'events').length > 0 ? [] : undefined;
}

const isPull = (event: unknown) => isRecord(event) && event['action'] === 'pull';

function listIn(value: Record<string, unknown>, key: string): readonly unknown[] {
  const list = value[key];
  return Array.isArray(list) ? list.slice(0, mostNames) : [];
}

function textAt(value: unknown, ...keys: readonly string[]): string[] {
  let at = value;
  for (const key of keys) at = isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return typeof at === 'string' && at !== '' ? [at] : [];
}

function githubName(value: unknown): string[] {
  const [name] = textAt(value, 'name');
  const [owner] = [...textAt(value, 'namespace'), ...textAt(value, 'owner', 'login')];
  return name === undefined || owner === undefined ? [] : [`${owner}/${name}`];
}

/**
 * Whether a notification may be about a channel. It only causes a poll, so a body that is not understood
 * counts as about all of them.
 * @param url the address of the channel
 */
export function concerns(body: string, url: string): boolean {
  const names = repositoriesIn(body);
  if (names === undefined) return true;
  const repository = /^oci:\/\/[^/]+\/([^@]+?)(?::[\w.-]+)?$/i.exec(url)?.[1];
  // Only a registry notifies so; and Quay's names, as others', may begin with the registry.
  return repository !== undefined && names.some((name) => name === repository || name.endsWith(`/${repository}`));
}
