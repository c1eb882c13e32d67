import * as z from 'zod';
import { isBytesText } from '../base/bytes.js';
import { limitNamed, limits } from '../base/limits.js';
import { longestTimeout } from '../base/time.js';
import { digestPattern, namePattern, parseRange, versionPattern } from '../manifest/index.js';
import { globFault } from '../platform/globs.js';

/** JSON may hold any string; one with another lone surrogate does not stand for bytes. */
const bytesText = z.string().refine(isBytesText, {
  error: 'must not hold a lone surrogate other than U+DC80 to U+DCFF',
  abort: true,
});
const relativePath = bytesText.regex(
  /^(?!\/)(?!(?:[\s\S]*\/)?\.\.(?:\/|$))[^\0]+$/,
  'must be a path below the package, without ".."',
);
const glob = bytesText
  .max(limits.globLength.value, `is too long; ${limitNamed(limits.globLength)}`)
  .regex(/^\/[^\0]*$/, 'must begin with /');
const globs = z.array(glob).max(limits.packageGlobs.value, `has too many globs; ${limitNamed(limits.packageGlobs)}`);
const seconds = z.number().positive().max(longestTimeout);
const name = z.string().regex(namePattern, 'must be 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit');
const text = bytesText.regex(/^[^\0]*$/, 'must not hold a NUL');
const version = z.string().regex(versionPattern, 'must be a version such as 12.4 or 1:2.3~rc1-4');
const variables = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'), text);

const imageProcedure = z.strictObject({
  image: text
    .max(8192)
    .regex(
      /^(?:docker:\/\/|(?:oci|oci-archive|docker-archive|dir|containers-storage|snapshot):)[^\p{Cc}]+$/u,
      'must be an image with its transport, such as docker://debian:12 or oci:layout',
    )
    .describe('As containers-transports(5) names it; a relative path starts at the package'),
  digest: z
    .string()
    .regex(digestPattern, 'must be a digest such as sha256:…')
    .optional()
    .describe('Of its manifest or its configuration: another image is refused'),
});

const fields = z.strictObject({
  $schema: z.string().optional().describe('For editors; not read'),
  version: z.literal(1).describe('Version of this format. The version of the software is in "to"'),
  name: name.optional().describe("The update's name; by default that of the directory or archive"),
  description: bytesText.max(4096).optional().describe('What the update is for'),
  base: name.optional().describe('The base that the update is for; by default any'),
  from: z
    .string()
    .refine((range) => parseRange(range) !== undefined, 'must be a range of versions such as ">=12.1 <13"')
    .optional()
    .describe('The versions of the base that it upgrades, such as ">=12.1 <13"; by default any'),
  to: version.optional().describe('The version that the base has afterwards'),
  procedure: z
    .union([relativePath, z.strictObject({ layer: relativePath }), imageProcedure], {
      error:
        'must be the path of a script, {"layer": PATH}, or {"image": TRANSPORT:REFERENCE}: paths below the package, without ".."',
    })
    .describe(
      'The script to run, the tar in OCI layer form that is the change itself, or the image that the base becomes',
    ),
  network: z.boolean().optional().describe('Whether the procedure may use the network; by default it may not'),
  timeoutSeconds: seconds.optional().describe('A run that takes longer fails; by default there is no limit'),
  environment: variables.optional().describe('Variables that the procedure gets'),
  ephemeral: globs.optional().describe('Globs of paths whose changes do not become part of the update'),
  protect: globs.optional().describe('Globs of paths that cannot be changed: writing there fails'),
  health: z
    .strictObject({
      command: text.min(1).describe("A command line for the container's shell; exit code 0 says that all is well"),
      timeoutSeconds: seconds.optional().describe('By default 60'),
    })
    .optional()
    .describe(
      'What runs in the root that each container would have; if it fails anywhere, the update is not published',
    ),
});

/** Fields that apply to scripts only. */
const ofScripts = ['timeoutSeconds', 'ephemeral', 'protect'] as const;

const packageSchema = fields.superRefine((value, context) => {
  const fault = globFault([...(value.ephemeral ?? []), ...(value.protect ?? [])]);
  if (fault !== undefined) context.addIssue({ code: 'custom', path: ['ephemeral, protect'], message: fault });
  if (typeof value.procedure === 'string') return;
  for (const field of ofScripts) {
    if (value[field] === undefined) continue;
    context.addIssue({
      code: 'custom',
      path: [field],
      message: 'does nothing for a layer or an image, which run no commands',
    });
  }
});

/** An update.json, docs/update-package.md, "Update package". */
export type PackageFields = z.infer<typeof packageSchema>;

/** @returns what it holds, or what is wrong with it */
export function parsePackage(value: unknown): { fields: PackageFields } | { faults: string[] } {
  const parsed = packageSchema.safeParse(value);
  if (parsed.success) return { fields: parsed.data };
  return { faults: parsed.error.issues.map((issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`) };
}

/** The published JSON Schema of update.json, docs/update.schema.json. */
export function packageJsonSchema(): object {
  return { title: 'A Lamina update package (update.json)', ...z.toJSONSchema(fields, { io: 'input' }) };
}
