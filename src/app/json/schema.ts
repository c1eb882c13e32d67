import * as z from 'zod';
import { documents, errorDocument } from './documents.js';
import * as parts from './parts.js';
import { formatVersion } from './version.js';

const { base, container, node, update, change, detailedChange, operation, origin, rollback } = parts;
/** By the name of their definition. */
const shared = { base, container, node, update, change, detailedChange, operation, origin, rollback };

const versioned = (document: z.ZodObject) => document.extend({ formatVersion: z.literal(formatVersion) });

/**
 * The strict schema of a command's document: its own, or that of an error.
 * @param command as typed ("update apply")
 */
export function documentOf(command: string): z.ZodType {
  return z.union([...(documents[command] ?? []), errorDocument].map(versioned));
}

/**
 * The JSON Schema of all that --json prints (docs/json.schema.json): one definition a command, one of errors, and those
 * of what they share.
 */
export function publishedSchema(): object {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(shared)) registry.add(schema, { id: `part-${name}` });
  const commands = Object.entries({ ...documents, error: [errorDocument] });
  for (const [command, [only, ...others]] of commands) {
    if (only === undefined) continue;
    const alternatives = [only, ...others].map(versioned);
    registry.add(others.length === 0 ? versioned(only) : z.union(alternatives), { id: definitionName(command) });
  }
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/$defs/${id}`, override: open });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What lamina --json prints',
    description:
      'One document per command, under its name in $defs ("update-apply"); a command that fails prints the one named "error". New versions may add fields; formatVersion counts all other changes.',
    anyOf: commands.map(([command]) => ({ $ref: `#/$defs/${definitionName(command)}` })),
    $defs: Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, definition(schema)])),
  };
}

const definitionName = (command: string) => command.replaceAll(' ', '-');

/** Fields that are added later must not break programs that validate documents. */
function open({ jsonSchema }: { jsonSchema: { additionalProperties?: unknown } }): void {
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
}

function definition({ $schema: _schema, $id: _id, ...rest }: Readonly<Record<string, unknown>>): object {
  return rest;
}
