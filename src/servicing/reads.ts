import { readFile, stat } from 'node:fs/promises';
import { display, fromText, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged } from '../base/errors.js';
import { limits, overLimit } from '../base/limits.js';
import type { ReadSet } from '../changeset/index.js';
import { stageFile } from '../platform/durable.js';

export interface ReadLine {
  readonly path: string;
  readonly kinds: readonly string[];
}

/**
 * The lines of a read set that the driver wrote at the end of a mount (docs/format.md).
 * @throws LaminaError damaged; refused, OVER_LIMIT: a procedure looked at more than can be held in memory
 */
export async function readLines(file: BytePath, limit = limits.readSet): Promise<ReadLine[]> {
  const { size } = await stat(toBuffer(file));
  if (size > limit.value)
    throw overLimit(
      limit,
      `the procedure looked at so many names that its read set ${display(file)} has ${size} bytes`,
      'apply the update with --always-run, which needs no read set',
    );
  const [head, ...lines] = (await readFile(toBuffer(file), 'utf8')).split('\n');
  if (head !== '{"version":1}' || lines.pop() !== '') {
    throw damaged(`the read set ${display(file)} is not whole`, {
      code: 'READ_SET_DAMAGED',
      hint: 'apply the update again; with --always-run no read set is needed',
    });
  }
  return lines.map((line) => JSON.parse(line) as ReadLine);
}

/** @throws LaminaError as `readLines` */
export async function readReadSet(file: BytePath): Promise<ReadSet> {
  const seen = new Set<BytePath>();
  const listed = new Set<BytePath>();
  const whole = new Set<BytePath>();
  for (const { path, kinds } of await readLines(file)) {
    const inTree = fromText(path.slice(1));
    if (kinds.some((kind) => kind !== 'listed')) seen.add(inTree);
    if (kinds.includes('listed')) listed.add(inTree);
    if (kinds.includes('whole')) whole.add(inTree);
  }
  return { seen, listed, whole };
}

/**
 * Takes names that the sandbox has mounted over out of a read set: it looked them up, and what runs in it cannot see what they hide.
 * What else was looked up stays, whoever did it.
 */
export async function forgetMountedOver(file: BytePath, mountedOver: readonly BytePath[]): Promise<void> {
  const text = await readFile(toBuffer(file), 'latin1');
  const begins = mountedOver.map((path) => `{"path":${JSON.stringify(`/${toText(path)}`)},`);
  const lines = text.split('\n');
  const kept = lines.filter((line) => !begins.some((begin) => line.startsWith(begin)));
  if (kept.length < lines.length) stageFile(file, Buffer.from(kept.join('\n'), 'latin1'));
}
