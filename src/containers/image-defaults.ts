import { display } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { signalNamed } from '../base/signals.js';
import { parseConfig } from '../image/index.js';
import { containerOf, imageAt } from '../manifest/index.js';
import type { BaseImage, Manifest } from '../manifest/index.js';
import type { RunOptions } from '../sandbox/index.js';
import { readImageConfig } from '../store/index.js';
import type { Store } from '../store/index.js';

/** What is run in a container, and how. */
export interface RunWords {
  readonly command: readonly string[];
  readonly options: RunOptions | undefined;
}

const shell = ['/bin/sh'];

/**
 * What a person asked for, with what the image that the container stands on says where they did not: its user,
 * variables and working directory, and where there is no command its entrypoint and command. A command that is given is
 * the whole of it, without the entrypoint.
 */
export function withImageDefaults(store: Store, manifest: Manifest, container: string, asked: RunWords): RunWords {
  const { base, layer } = containerOf(manifest, container);
  const image = imageAt(manifest, base, layer);
  if (image === null) return { ...asked, command: asked.command.length > 0 ? asked.command : shell };
  const config = configOf(store, image);
  const own = [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])];
  const { user, environment, workingDirectory } = asked.options ?? {};
  const variables = Object.fromEntries((config?.Env ?? []).map(variable));
  const words = {
    command: asked.command.length > 0 ? asked.command : own.length > 0 ? own : shell,
    user: user ?? stated(config?.User),
    environment: { ...variables, ...environment },
    workingDirectory: workingDirectory ?? stated(config?.WorkingDir),
    makesDirectory: workingDirectory === undefined,
  };
  check([...words.command, words.user ?? '', ...Object.entries(variables).flat(), words.workingDirectory ?? '']);
  checkDirectory(words.workingDirectory, image.reference);
  const { command, ...others } = words;
  return { command, options: asked.options && { ...asked.options, ...others } };
}

const configOf = (store: Store, { configDigest, reference }: BaseImage) =>
  parseConfig(readImageConfig(store.paths, configDigest), `the image ${reference}`).config;

/** What ends the command in order, as the image of the container says. Undefined: it says nothing, or no signal. */
export function stopSignalOf(store: Store, manifest: Manifest, container: string): NodeJS.Signals | undefined {
  const { base, layer } = containerOf(manifest, container);
  const image = imageAt(manifest, base, layer);
  return image === null ? undefined : signalNamed(configOf(store, image)?.StopSignal ?? '');
}

const stated = (text: string | null | undefined): string | undefined =>
  text === null || text === undefined || text === '' ? undefined : text;

function variable(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

function checkDirectory(directory: string | undefined, reference: string): void {
  if (directory === undefined || directory.startsWith('/')) return;
  throw failed(`the image ${reference} has the working directory '${display(directory)}', which is not absolute`, {
    code: 'INVALID_IMAGE',
    hint: 'give one with --workdir',
  });
}

/** What is passed to the kernel ends at a NUL. */
function check(words: readonly string[]): void {
  if (words.some((word) => word.includes('\0')))
    throw failed('the configuration of its image holds a word with a NUL in it, which no command can have', {
      code: 'INVALID_IMAGE',
      hint: 'give a command, and what else is needed, on the command line',
    });
}
