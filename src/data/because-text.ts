import type { RanBecauseOfData } from './manifest-data.js';

const words: Readonly<Record<string, string>> = {
  lookup: 'looked up',
  list: 'listed',
  open: 'read',
  readlink: 'read the link',
  xattr: 'read attributes',
  'remove-or-rename': 'tried to remove or rename',
  sandbox: 'needed by the sandbox',
  layer: 'changed by the layer',
  create: 'created',
  mkdir: 'created',
  mknod: 'created',
  symlink: 'created',
  link: 'linked',
  unlink: 'removed',
  rmdir: 'removed',
  rename: 'renamed',
  exchange: 'renamed',
  write: 'written',
  truncate: 'written',
  fallocate: 'written',
  copy_file_range: 'written',
  chmod: 'mode changed',
  chown: 'owner changed',
  utimes: 'times changed',
  setxattr: 'attributes changed',
  removexattr: 'attributes changed',
};

/** "/etc/app.conf (read, written; listed /etc)": the path for which a procedure ran in a container, and why. */
export function becauseText(because: RanBecauseOfData | null): string {
  if (because === null) return '-';
  const there = because.did.filter(({ path }) => path === because.path).map(({ action }) => words[action] ?? action);
  const elsewhere = because.did
    .filter(({ path }) => path !== because.path)
    .map(({ action, path }) => `${words[action] ?? action}: ${path}`);
  const details = [...(there.length > 0 ? [unique(there).join(', ')] : []), ...unique(elsewhere)];
  return details.length === 0 ? because.path : `${because.path} (${details.join('; ')})`;
}

const unique = (texts: readonly string[]) => [...new Set(texts)];
