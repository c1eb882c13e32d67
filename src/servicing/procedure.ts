import { constants, accessSync, chmodSync, copyFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { basename, display, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, messageOf, notFound, usage } from '../base/errors.js';
import type { Update } from '../manifest/index.js';
import { importDirectory, scanTree, xxh64 } from '../store/index.js';
import { interpreterOf, startOf } from './interpreter.js';

/** How an update is made: a script, or a directory with update.json. */
export interface Procedure {
  readonly source: BytePath;
  readonly kind: 'script' | 'package';
  /** A name for the update where none is given. */
  readonly defaultName: string;
  /** Below the directory of a package: the script to run. */
  readonly script: string;
  readonly network: boolean;
  readonly timeoutMs: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly ephemeral: readonly string[];
  readonly protect: readonly string[];
}

const relativePath = z
  .string()
  .regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$)).+$/, 'must be a path below the package, without ".."');
const glob = z.string().startsWith('/', 'must begin with /');

const packageSchema = z.strictObject({
  version: z.literal(1),
  name: z.string().optional(),
  description: z.string().optional(),
  procedure: relativePath,
  network: z.boolean().optional(),
  timeoutSeconds: z.number().positive().optional(),
  environment: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).optional(),
  ephemeral: z.array(glob).optional(),
  protect: z.array(glob).optional(),
});

const plain = { network: false, timeoutMs: undefined, environment: {}, ephemeral: [], protect: [] };

/** Reads and checks a procedure. @throws LaminaError notFound: missing; usage: not executable, no script, a bad update.json */
export async function readProcedure(source: BytePath): Promise<Procedure> {
  const shown = display(source);
  let directory: boolean;
  try {
    const status = statSync(toBuffer(source));
    if (!status.isDirectory() && !status.isFile())
      throw usage(`the procedure ${shown} is neither a script nor a directory`);
    directory = status.isDirectory();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`there is no procedure ${shown}`, {
        code: 'NO_PROCEDURE',
        hint: 'give an executable script, or a directory with update.json',
      });
    throw error;
  }
  if (directory) return readPackage(source);
  checkScript(source);
  return { ...plain, source, kind: 'script', script: '', defaultName: nameFrom(source) };
}

async function readPackage(source: BytePath): Promise<Procedure> {
  const file = join(source, 'update.json');
  let value: unknown;
  try {
    value = JSON.parse(await readFile(toBuffer(file), 'utf8'));
  } catch (error) {
    if (isSystemError(error, 'ENOENT'))
      throw notFound(`the directory ${display(source)} has no update.json`, {
        code: 'NO_PROCEDURE',
        hint: 'an update package needs one (docs/format.md)',
      });
    throw usage(`${display(file)} cannot be read: ${messageOf(error)}`, { code: 'BAD_PACKAGE', cause: error });
  }
  const parsed = packageSchema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues
      .slice(0, 3)
      .map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`);
    throw usage(`${display(file)} is not valid: ${issues.join('; ')}`, {
      code: 'BAD_PACKAGE',
      hint: 'see docs/format.md, "Update package"',
    });
  }
  const { data } = parsed;
  checkScript(join(source, data.procedure));
  return {
    source,
    kind: 'package',
    defaultName: data.name ?? nameFrom(source),
    script: data.procedure,
    network: data.network ?? false,
    timeoutMs: data.timeoutSeconds === undefined ? undefined : data.timeoutSeconds * 1000,
    environment: data.environment ?? {},
    ephemeral: data.ephemeral ?? [],
    protect: data.protect ?? [],
  };
}

const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

function checkScript(path: BytePath): void {
  const shown = display(path);
  let start: Buffer;
  try {
    accessSync(toBuffer(path), constants.R_OK);
    if (!statSync(toBuffer(path)).isFile()) throw usage(`the procedure ${shown} is not a file`);
    if ((statSync(toBuffer(path)).mode & 0o111) === 0)
      throw usage(`the procedure ${shown} is not executable`, {
        code: 'NOT_EXECUTABLE',
        hint: `make it so: chmod +x ${shown}`,
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
    throw usage(`the procedure ${shown} is no script: it does not begin with #!`, {
      code: 'NO_SCRIPT',
      hint: 'begin it with a line such as #!/bin/sh',
    });
  }
}

function nameFrom(source: BytePath): string {
  const name = toText(basename(source))
    .replace(/\.(sh|py|pl|bash)$/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 60);
  return name === '' ? 'update' : name;
}

/** Keeps the procedure as given, so that it can be looked at and run again. Gives what the manifest says of it. */
export async function storeProcedure(procedure: Procedure, target: BytePath): Promise<Update['procedure']> {
  if (procedure.kind === 'script') {
    copyFileSync(toBuffer(procedure.source), toBuffer(target));
    chmodSync(toBuffer(target), 0o755);
  } else {
    await importDirectory(procedure.source, target, {});
  }
  return { kind: procedure.kind, hash: await contentHash(target) };
}

async function contentHash(path: BytePath): Promise<string> {
  const entries = await scanTree(path, { hash: true });
  const lines = entries.map((entry) => `${entry.path}\0${entry.hash.toString(16)}\0${entry.stats.mode.toString(8)}\n`);
  return (await xxh64(Buffer.from(lines.join(''), 'latin1'))).toString(16).padStart(16, '0');
}

/** The command that runs a stored procedure in a sandbox that shows it under `name`. */
export function commandOf(procedure: Procedure, directory: string): string[] {
  return [procedure.kind === 'script' ? directory : `${directory}/${procedure.script}`];
}
