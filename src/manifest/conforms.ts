import { safeParse } from 'zod/v4/core';
import type { $ZodType, $ZodTypes } from 'zod/v4/core';

type Test = (value: unknown) => boolean;

type Def = $ZodTypes['_zod']['def'];
type Of<T extends Def['type']> = Extract<Def, { readonly type: T }>;

/**
 * Whether `safeParse` accepts a value, as a plain test: it makes no copy and reports no reason, so that a large
 * document costs a fraction. Where it has no faster test, it calls the schema. For schemas that leave values as they
 * are: without defaults and transforms.
 */
export function conformsTo<T>(schema: $ZodType<T>): (value: unknown) => value is T {
  const { def } = (schema as $ZodTypes)._zod;
  const test = shortTest(def) ?? ((value) => safeParse(schema, value).success);
  return test as (value: unknown) => value is T;
}

function shortTest(def: Def): Test | undefined {
  switch (def.type) {
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'enum': {
      const values = new Set<unknown>(Object.values(def.entries));
      return (value) => values.has(value);
    }
    case 'string':
      return stringTest(def);
    case 'number':
      return numberTest(def);
    case 'nullable': {
      const inner = conformsTo(def.innerType);
      return (value) => value === null || inner(value);
    }
    case 'array': {
      if (def.checks !== undefined) return undefined;
      const element = conformsTo(def.element);
      return (value) => Array.isArray(value) && value.every(element);
    }
    case 'object':
      return objectTest(def);
    case 'record':
      return recordTest(def);
    default:
      return undefined;
  }
}

/** For strings with patterns as their only checks. */
function stringTest(def: Of<'string'>): Test | undefined {
  const patterns: RegExp[] = [];
  // A format is a schema and its own check.
  for (const check of [...('check' in def ? [def] : []), ...(def.checks ?? []).map((each) => each._zod.def)]) {
    const { format, pattern } = check as { format?: string; pattern?: RegExp };
    if ((format !== 'regex' && format !== 'datetime') || pattern === undefined) return undefined;
    patterns.push(pattern);
  }
  const [only] = patterns;
  if (only !== undefined && patterns.length === 1) return (value) => typeof value === 'string' && only.test(value);
  return (value) => typeof value === 'string' && patterns.every((pattern) => pattern.test(value));
}

/** For whole numbers from 0. */
function numberTest(def: Of<'number'>): Test | undefined {
  const checks = (def.checks ?? []).map((each) => each._zod.def as { check: string; format?: string; value?: number });
  const whole = ({ check, format }: (typeof checks)[number]) => check === 'number_format' && format === 'safeint';
  const from0 = ({ check, value }: (typeof checks)[number]) => check === 'greater_than' && value === 0;
  if (checks.length !== 2 || !checks.some(whole) || !checks.some(from0)) return undefined;
  return (value) => Number.isSafeInteger(value) && (value as number) >= 0;
}

/** For objects with exactly these fields. */
function objectTest(def: Of<'object'>): Test | undefined {
  if (def.catchall?._zod.def.type !== 'never') return undefined;
  const fields = new Map<string, Test>();
  for (const [name, schema] of Object.entries(def.shape)) fields.set(name, conformsTo(schema));
  return (value) => {
    if (!isObject(value)) return false;
    let count = 0;
    for (const name in value) {
      if (fields.get(name)?.(value[name]) !== true) return false;
      count += 1;
    }
    return count === fields.size;
  };
}

/** For tables with arbitrary keys. */
function recordTest(def: Of<'record'>): Test | undefined {
  if (def.keyType._zod.values !== undefined) return undefined;
  const [key, row] = [conformsTo(def.keyType), conformsTo(def.valueType)];
  return (value) => {
    if (!isObject(value)) return false;
    for (const name in value) if (!key(name) || !row(value[name])) return false;
    return true;
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
