import { isAbsolute } from 'node:path';
import { toText } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { stopSignalOf, withImageDefaults } from '../containers/index.js';
import { containerOf } from '../manifest/index.js';
import { laminaWords } from '../platform/install.js';
import { programsNamed } from '../platform/programs.js';
import type { RunOptions } from '../sandbox/index.js';
import { quadletText, runOptionsOf, runtimePrograms, serviceText, unitName } from '../runtime/index.js';
import type { UnitRequest, UnitRuntime } from '../runtime/index.js';
import type { Store } from '../store/index.js';

export type { UnitRuntime };

export interface UnitOptions extends Pick<UnitRequest, 'command' | 'user' | 'environment' | 'workingDirectory'> {
  readonly runtime: UnitRuntime;
  readonly quadlet: boolean;
  readonly network: boolean;
  readonly suid: boolean;
}

export interface UnitData {
  readonly container: string;
  readonly runtime: UnitRuntime;
  /** Where to put it. */
  readonly file: string;
  readonly text: string;
  /** The runtime's program, where it is missing here; else null. */
  readonly missing: string | null;
}

/**
 * The unit that runs a container.
 * @throws LaminaError notFound; usage: it would run nothing but a shell, or the runtime cannot do what was asked
 */
export async function unit(store: Store, container: string, options: UnitOptions): Promise<UnitData> {
  const manifest = await store.read();
  containerOf(manifest, container);
  const { runtime, quadlet } = options;
  const name = runtime === 'run' ? undefined : runtimePrograms[runtime];
  const found = name === undefined ? undefined : programsNamed(name).find(isAbsolute);
  const words = withImageDefaults(store, manifest, container, {
    command: options.command,
    options: runOptionsOf(options),
  });
  const command = commandOf(options, words.command);
  const request: UnitRequest = {
    ...options,
    // What knows the image takes the rest from it, at every start.
    ...(['podman', 'nspawn'].includes(runtime) ? ownWords(words.options) : {}),
    command: ['podman', 'nspawn'].includes(runtime) ? command : options.command,
    stopSignal: stopSignalOf(store, manifest, container),
    container,
    store: toText(store.paths.root),
    lamina: laminaWords(),
    program: found ?? `/usr/bin/${name ?? 'lamina'}`,
  };
  const ending = quadlet ? 'container' : 'service';
  const place = quadlet ? '/etc/containers/systemd' : '/etc/systemd/system';
  return {
    container,
    runtime,
    file: `${place}/${unitName(container)}.${ending}`,
    text: quadlet ? quadletText(request) : serviceText(runtime, request),
    missing: found === undefined ? (name ?? null) : null,
  };
}

const shell = /^(\/usr)?(\/bin\/)?(ba|da)?sh$/;

/** None: a whole system is booted. */
function commandOf({ command, runtime }: UnitOptions, whole: readonly string[]): readonly string[] {
  const isShell = command.length === 0 && whole.length === 1 && shell.test(whole[0] ?? '');
  if (!isShell) return whole;
  if (runtime === 'nspawn') return [];
  throw usage(`without a command ${whole.join(' ')} would run, which is not a service`, {
    hint: 'give the command after --, or take --runtime nspawn to boot the init system of its root',
  });
}

const ownWords = (options: RunOptions | undefined): Partial<UnitRequest> => ({
  user: options?.user,
  environment: options?.environment ?? {},
  workingDirectory: options?.workingDirectory,
});
