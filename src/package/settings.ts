import * as z from 'zod';
import type { BytePath } from '../base/bytes.js';
import { stageFile } from '../platform/durable.js';
import { readJsonRecord } from '../store/index.js';

/** What happens to a path that a container and a layer changed differently: docs/update-package.md. */
export const conflictChoices = ['keep', 'ours', 'theirs', 'fail'] as const;
export type ConflictChoice = (typeof conflictChoices)[number];

/** How an update was applied, beyond what its procedure states: needed to run it again. */
export interface Settings {
  /** The network was allowed by the command line. */
  readonly network: boolean;
  /** Of the command line, over the package's; null: none given. */
  readonly timeoutSeconds: number | null;
  readonly conflict: ConflictChoice;
  /** It was run in every container, whatever its content. */
  readonly alwaysRun: boolean;
  /** The umask that its procedure ran with, octal; null: not recorded, as by earlier versions. */
  readonly umask: string | null;
  /** The limit on what its archives unpack to; null: the default limits. */
  readonly maxBytes: number | null;
  /** Of a manual update: containers were only pinned to its layer. */
  readonly noReplay: boolean;
}

const settingsSchema = z.strictObject({
  version: z.literal(1),
  network: z.boolean(),
  timeoutSeconds: z.number().positive().nullable(),
  conflict: z.enum(conflictChoices),
  alwaysRun: z.boolean().default(false),
  noReplay: z.boolean().default(false),
  umask: z
    .string()
    .regex(/^[0-7]{4}$/)
    .nullable()
    .default(null),
  maxBytes: z.number().int().positive().nullable().default(null),
});

/** In a sandbox (native/sandbox/inherit.cc), whatever that of the caller is. */
export const sandboxUmask = '0022';

export const plainSettings: Settings = {
  network: false,
  timeoutSeconds: null,
  conflict: 'keep',
  alwaysRun: false,
  noReplay: false,
  umask: null,
  maxBytes: null,
};

/** The options with which a command applies its procedure. */
interface Asked {
  readonly network: boolean;
  readonly timeoutMs?: number | undefined;
  readonly conflict?: ConflictChoice | undefined;
  readonly alwaysRun?: boolean | undefined;
  readonly maxBytes?: number | undefined;
}

/** The settings of an update that is applied now. */
export function settingsOf({ network, timeoutMs, conflict, alwaysRun, maxBytes }: Asked): Settings {
  return {
    network,
    timeoutSeconds: timeoutMs === undefined ? null : timeoutMs / 1000,
    conflict: conflict ?? plainSettings.conflict,
    alwaysRun: alwaysRun === true,
    noReplay: false,
    umask: sandboxUmask,
    maxBytes: maxBytes ?? null,
  };
}

export function writeSettings(file: BytePath, settings: Settings): void {
  const { network, timeoutSeconds, conflict, alwaysRun, noReplay, umask, maxBytes } = settings;
  const fields = { version: 1, network, timeoutSeconds, conflict, alwaysRun, noReplay, umask, maxBytes };
  const text = JSON.stringify(fields, null, 2);
  stageFile(file, `${text}\n`);
}

/** Defaults where none were stored: updates of Lamina 0.1 have none. @throws LaminaError damaged */
export async function readSettings(file: BytePath): Promise<Settings> {
  const stored = await readJsonRecord(file, {
    schema: settingsSchema,
    fault: 'does not say how the update was applied',
    code: 'SETTINGS_DAMAGED',
    hint: 'run lamina verify',
  });
  return stored ?? plainSettings;
}
