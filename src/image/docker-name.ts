/** Whether the first part of a name is a registry, and not a part of a repository of Docker's. */
const isRegistry = (first: string | undefined) => /[.:]|^localhost$/.test(first ?? '');

/** A name of an image with what may be left out: Docker's registry, its `library`, the tag `latest`. */
export function fullName(name: string): string {
  const [registry, ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && isRegistry(registry);
  const path = hasRegistry ? name : `docker.io/${rest.length === 0 ? `library/${name}` : name}`;
  return /:[^/]*$/.test(path) ? path : `${path}:latest`;
}

const repository = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tag = /^\w[\w.-]{0,127}$/;
const registryName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?$/;

/** Whether a text is a name with or without a tag (distribution, reference.go), and no digest. */
export function isImageName(text: string): boolean {
  const full = fullName(text);
  const colon = full.lastIndexOf(':');
  const [registry = '', ...parts] = full.slice(0, colon).split('/');
  return (
    text.length <= 255 &&
    registryName.test(registry) &&
    parts.length > 0 &&
    parts.every((part) => repository.test(part)) &&
    tag.test(full.slice(colon + 1))
  );
}
