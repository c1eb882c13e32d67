import { readdirSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { display, fromText } from '../base/bytes.js';
import { isSystemError, usage } from '../base/errors.js';

/**
 * The container that mount(8) was asked for. Where the current directory has an entry of that name, mount(8) takes the
 * name for a path, and gives its helper what realpath(3) makes of it. Names of containers have no slash.
 * @throws LaminaError usage: no entry leads there, or several do
 */
export function containerOfSource(source: string, directory = process.cwd()): string {
  if (!source.startsWith('/')) return source;
  const links = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink());
  const names = [basename(source), ...links.map(({ name }) => name)].filter(
    (name) => realOf(`${directory}/${name}`) === source,
  );
  const [name, ...others] = names;
  if (name !== undefined && others.length === 0) return name;
  throw usage(`mount(8) gives the path ${display(fromText(source))}, which is not the name of a container`, {
    hint: 'give the name; where the current directory has such a file, run it in another directory',
  });
}

/** Undefined: it leads nowhere. */
function realOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}
