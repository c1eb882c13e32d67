import { constants, accessSync, closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, display, fromBuffer, fromText, isBelow, join, shellWord, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, messageOf, notFound, usage } from '../base/errors.js';
import { limitNamed, limits } from '../base/limits.js';
import { withHeld } from '../platform/held.js';
import { openFlags } from '../platform/open-flags.js';
import { interpreterOf, startOf } from './shebang.js';
import { parsePackage } from './update-json.js';
import type { PackageFields } from './update-json.js';

/** The command that a package runs in each container after its update. */
export interface HealthCheck {
  /** For a shell of the container's. */
  readonly command: string;
  readonly timeoutMs: number;
}

/** The image that an update is. */
export interface ProcedureImage {
  /** With its transport; a relative path of one starts at the package. */
  readonly reference: string;
  /** Of its manifest or its configuration; undefined: whatever the reference leads to. */
  readonly digest: string | undefined;
}

/** How an update is made: a script; a package with a script, with a layer, or with a new image. */
export interface Procedure {
  readonly kind: 'script' | 'package' | 'layer' | 'image';
  /** A name for the update where none is given. */
  readonly defaultName: string;
  /** The name that its package has. */
  readonly packageName: string | undefined;
  readonly description: string | null;
  /** The base it is for, and the versions of it that it upgrades; undefined: any. */
  readonly base: string | undefined;
  readonly from: string | undefined;
  /** The version that it makes. */
  readonly to: string | null;
  /** Below the directory of a package: the script to run, or the layer. Of an image ''. */
  readonly file: string;
  /** Of the kind `image` only. */
  readonly image: ProcedureImage | undefined;
  readonly network: boolean;
  readonly timeoutMs: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly ephemeral: readonly string[];
  readonly protect: readonly string[];
  readonly health: HealthCheck | undefined;
}

/** A procedure as a person gives it. */
export interface GivenProcedure {
  /** What people know it as. */
  readonly source: BytePath;
  /** Where it is read: `source`, or a path that stays valid if `source` is renamed or replaced (`Held.at`). */
  readonly from: BytePath;
  readonly form: 'script' | 'directory' | 'archive';
}

/** A bare script's. */
export const plainProcedure = {
  packageName: undefined,
  image: undefined,
  description: null,
  base: undefined,
  from: undefined,
  to: null,
  network: false,
  timeoutMs: undefined,
  environment: {},
  ephemeral: [],
  protect: [],
  health: undefined,
};

/**
 * Examines the source, as far as possible without unpacking it.
 * @throws LaminaError notFound: missing; usage: not executable, no script, a bad update.json
 */
export async function checkProcedure(source: BytePath, from: BytePath = source): Promise<GivenProcedure> {
  try {
    return await withHeld(from, async ({ at }) => {
      const form = formOf(at, source);
      if (form === 'directory') await readPackage(at, source);
      if (form === 'script') checkScript(at, source);
      return { source, from, form };
    });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`there is no procedure ${display(source)}`, {
        code: 'NO_PROCEDURE',
        hint: 'give an executable script, or a directory or tar with update.json',
      });
    throw error;
  }
}

/** @param at where it lies; @param source its name for people */
export function formOf(at: BytePath, source: BytePath): GivenProcedure['form'] {
  const status = statSync(toBuffer(at));
  if (status.isDirectory()) return 'directory';
  if (status.isFile()) return isArchive(at) ? 'archive' : 'script';
  throw usage(`the procedure ${display(source)} is neither a script nor a directory nor an archive`);
}

const magics: readonly (readonly [at: number, bytes: string])[] = [
  [0, '\x1f\x8b'],
  [0, '\xfd7zXZ\0'],
  [0, '\x28\xb5\x2f\xfd'],
  [257, 'ustar'],
];

/** A tar, or something compressed; recognised by its bytes, not by its name. */
function isArchive(source: BytePath): boolean {
  const start = Buffer.alloc(264);
  const descriptor = openSync(toBuffer(source), 'r');
  try {
    readSync(descriptor, start, 0, start.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return magics.some(([at, bytes]) => start.toString('latin1', at, at + bytes.length) === bytes);
}

/** @param at where the package lies; @param source its name for people */
export async function readPackage(at: BytePath, source: BytePath): Promise<Procedure> {
  const fields = await readFields(at, source);
  const { timeoutSeconds, name } = fields;
  const what = contentOf(fields);
  if (what.kind !== 'image') checkFile(at, what, source);
  return {
    ...what,
    defaultName: name ?? nameFrom(source),
    packageName: name,
    description: fields.description ?? null,
    base: fields.base,
    from: fields.from,
    to: fields.to ?? null,
    network: fields.network ?? false,
    timeoutMs: timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000,
    environment: fields.environment ?? {},
    ephemeral: fields.ephemeral ?? [],
    protect: fields.protect ?? [],
    health: healthOf(fields),
  };
}

function contentOf({ procedure }: PackageFields): Pick<Procedure, 'kind' | 'file' | 'image'> {
  if (typeof procedure === 'string') return { kind: 'package', file: procedure, image: undefined };
  if ('layer' in procedure) return { kind: 'layer', file: procedure.layer, image: undefined };
  return { kind: 'image', file: '', image: { reference: procedure.image, digest: procedure.digest } };
}

function checkFile(at: BytePath, { kind, file }: Pick<Procedure, 'kind' | 'file'>, source: BytePath): void {
  checkInside(at, file, source);
  if (kind === 'package') checkScript(join(at, file), join(source, file));
  else if (!statSync(toBuffer(join(at, file))).isFile()) throw badPackage(source, [`procedure: ${file} is not a file`]);
}

/** What an update.json says. @param at where the package lies; @param source its name for people */
export async function readFields(at: BytePath, source: BytePath): Promise<PackageFields> {
  let value: unknown;
  try {
    const handle = await open(toBuffer(join(at, 'update.json')), openFlags.read);
    try {
      const status = await handle.stat();
      if (!status.isFile()) throw badPackage(source, ['it is not a file']);
      if (status.size > limits.packageDescription.value)
        throw badPackage(source, [`it has ${status.size} bytes; ${limitNamed(limits.packageDescription)}`]);
      value = JSON.parse(await handle.readFile('utf8'));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT'))
      throw notFound(`the procedure ${display(source)} has no update.json`, {
        code: 'NO_PROCEDURE',
        hint: 'an update package needs one (docs/update-package.md)',
      });
    if (isSystemError(error, 'ELOOP')) throw badPackage(source, ['it is a symlink']);
    if (error instanceof SyntaxError) throw badPackage(source, [messageOf(error)]);
    throw error;
  }
  const parsed = parsePackage(value);
  if ('faults' in parsed) throw badPackage(source, parsed.faults);
  return parsed.fields;
}

function badPackage(source: BytePath, faults: readonly string[]) {
  return usage(`${display(join(source, 'update.json'))} is not valid: ${faults.slice(0, 3).join('; ')}`, {
    code: 'BAD_PACKAGE',
    hint: 'see docs/update-package.md, "Update package"',
  });
}

/** A package is untrusted: no symlink of it may lead to a file of the host. */
export function checkInside(at: BytePath, file: string, source: BytePath): void {
  let real: BytePath;
  try {
    real = fromBuffer(realpathSync.native(toBuffer(join(at, fromText(file))), 'buffer'));
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) throw error;
    throw notFound(`the package ${display(source)} has no ${display(file)}, which its update.json names`, {
      code: 'NO_PROCEDURE',
      hint: 'put it there, or correct "procedure" in update.json',
    });
  }
  if (!isBelow(real, fromBuffer(realpathSync.native(toBuffer(at), 'buffer'))))
    throw badPackage(source, [`procedure: ${file} leads out of the package`]);
}

const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/** @param path where it lies; @param source its name for people */
function checkScript(path: BytePath, source: BytePath): void {
  const shown = display(source);
  let start: Buffer;
  try {
    accessSync(toBuffer(path), constants.R_OK);
    if (!statSync(toBuffer(path)).isFile()) throw usage(`the procedure ${shown} is not a file`);
    if ((statSync(toBuffer(path)).mode & 0o111) === 0)
      throw usage(`the procedure ${shown} is not executable`, {
        code: 'NOT_EXECUTABLE',
        hint: `make it so: chmod +x ${shellWord(source)}`,
      });
    start = startOf(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`there is no procedure ${shown}`, { code: 'NO_PROCEDURE', hint: 'give an executable script' });
    throw error;
  }
  const interpreter = interpreterOf(start);
  if (interpreter === '') {
    throw usage(`the #! line of the procedure ${shown} names no interpreter`, {
      code: 'NO_SCRIPT',
      hint: 'begin it with a line such as #!/bin/sh',
    });
  }
  if (interpreter === undefined && !start.subarray(0, elf.length).equals(elf)) {
    throw usage(`the procedure ${shown} is not a script: it does not begin with #!`, {
      code: 'NO_SCRIPT',
      hint: 'begin it with a line such as #!/bin/sh',
    });
  }
}

/** A name for an update from that of a file. */
export function nameFrom(source: BytePath): string {
  const name = toText(basename(source))
    .replace(/\.(sh|py|pl|bash|tgz|txz|tzst|(tar(\.(gz|xz|zst|zstd))?))$/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 60);
  return name === '' ? 'update' : name;
}

/** The command that runs a stored procedure in a sandbox that shows it under `name`. */
export function commandOf(procedure: Procedure, directory: string): string[] {
  return [procedure.kind === 'script' ? directory : `${directory}/${procedure.file}`];
}

/** Seconds after which a health check without a time-out of its own has failed. */
const healthSeconds = 60;

function healthOf({ health }: PackageFields): HealthCheck | undefined {
  if (health === undefined) return undefined;
  return { command: health.command, timeoutMs: (health.timeoutSeconds ?? healthSeconds) * 1000 };
}
