import { isDeepStrictEqual } from 'node:util';
import { isAlias, isMap, isNode, isScalar, isSeq } from 'yaml';
import type { Document, Node, Pair, YAMLMap } from 'yaml';
import { must } from '../base/errors.js';
import { YamlFault, yamlDocuments } from '../changeset/yaml-text.js';
import { utf8 } from './documents.js';
import { OtherFormat } from './outcome.js';
import type { Versions } from './outcome.js';
import { isTable, mergeValues } from './values.js';
import type { Value } from './values.js';

/**
 * YAML by its keys; layout and comments are the container's. Scalars are compared, and written, as they stand: what
 * `0755`, `1.10` or `yes` mean depends on the program that reads them.
 * @throws Clash, OtherFormat
 */
export function mergeYaml({ base, ours, theirs }: Versions): Uint8Array {
  const [b, o, t] = [base, ours, theirs].map((version) => parse(utf8(version)));
  if (b === undefined || o === undefined || t === undefined) throw new Error('internal error: three versions');
  const [before, merged] = [
    valueOf(o.contents),
    mergeValues(valueOf(b.contents), valueOf(o.contents), valueOf(t.contents)),
  ];
  if (!isDeepStrictEqual(before, merged)) {
    if (isMap(o.contents) && isMap(t.contents) && isTable(merged)) change(o.contents, t.contents, merged);
    else o.contents = copyOf(t.contents);
  }
  const text = o.toString({ lineWidth: 0 });
  if (!isDeepStrictEqual(valueOf(parse(text).contents), merged))
    throw new OtherFormat('it cannot be written as it was');
  return Buffer.from(text);
}

/** One document. */
function parse(text: string): Document {
  let documents: Document[];
  try {
    documents = yamlDocuments(text, 'failsafe');
  } catch (error) {
    if (error instanceof YamlFault) throw new OtherFormat(error.message);
    throw error;
  }
  const [document, ...others] = documents;
  if (document === undefined || others.length > 0) throw new OtherFormat('it is not one document');
  return document;
}

/** Tables by their keys, lists, and scalars with their tag and style. @throws OtherFormat: it has references */
function valueOf(node: unknown): Value {
  if (isAlias(node) || (isNode(node) && node.anchor !== undefined)) throw new OtherFormat('it has references');
  if (isScalar(node)) return `${node.tag ?? ''} ${node.type === 'PLAIN' ? '' : '"'}${String(node.value)}`;
  if (node === null) return '';
  if (!(isMap(node) || isSeq(node)) || node.tag !== undefined) throw new OtherFormat('it has tables of other kinds');
  if (isSeq(node)) return node.items.map(valueOf);
  return Object.fromEntries(node.items.map((pair) => [keyOf(pair), valueOf(pair.value)]));
}

function keyOf({ key }: Pair): string {
  if (!isScalar(key) || key.tag !== undefined || key.anchor !== undefined) throw new OtherFormat('a key is not text');
  return String(key.value);
}

const pairsOf = ({ items }: YAMLMap) => new Map(items.map((pair) => [keyOf(pair), pair]));

/** Changes a table of the container to what was merged. What is not its own is at the same place in the update's. */
function change(ours: YAMLMap, theirs: YAMLMap, merged: Readonly<Record<string, Value>>): void {
  const [present, other] = [pairsOf(ours), pairsOf(theirs)];
  ours.items = ours.items.filter((pair) => Object.hasOwn(merged, keyOf(pair)));
  for (const [key, value] of Object.entries(merged)) {
    const pair = present.get(key);
    const source = other.get(key);
    if (pair === undefined) ours.items.push(must(source, `the key ${key}`).clone());
    else if (isDeepStrictEqual(valueOf(pair.value), value)) continue;
    else if (isMap(pair.value) && isMap(source?.value) && isTable(value)) change(pair.value, source.value, value);
    else pair.value = replaced(pair.value, source?.value);
  }
}

/** The update's, with the comments of the container. */
function replaced(ours: unknown, theirs: unknown): Node | null {
  const node = copyOf(theirs);
  if (node !== null && isNode(ours)) {
    node.comment = ours.comment ?? null;
    node.commentBefore = ours.commentBefore ?? null;
  }
  return node;
}

const copyOf = (node: unknown): Node | null => (isNode(node) ? (node.clone() as Node) : null);
