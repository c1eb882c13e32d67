import { setImmediate as breathe } from 'node:timers/promises';
import { join, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { makePlainDirectory } from '../platform/exact.js';
import { readInodes } from '../platform/inodes.js';
import { removeTree } from '../platform/walk.js';
import { PlanWriter, cannotMake } from './plan-writer.js';
import type { MaterialiseRequest } from './plan-writer.js';
import { moveFirst, rework } from './rework.js';
import type { Reworked } from './rework.js';

export type { MarkNamespace, MaterialiseRequest } from './plan-writer.js';

/**
 * Writes the tree of a plan, content as clones where the file system can, else copied with its holes. Not durable:
 * `syncTree` does that. Never follows a symlink.
 * @returns what a reworked tree holds
 * @throws LaminaError failed (with the path; nothing is left of the tree), damaged: a source differs from the plan; the
 * signal's reason (nothing is left)
 */
export async function materialise(request: MaterialiseRequest): Promise<Reworked | undefined> {
  const writer = new PlanWriter(request);
  if (request.isReworked === true) moveFirst(request);
  else makeFirst(request);
  try {
    if (request.isReworked === true) return await rework(request, writer);
    await write(request, writer);
    return undefined;
  } catch (error) {
    removeTree(request.tree);
    throw error;
  } finally {
    writer.end();
  }
}

const operationsPerTurn = 256;

function makeFirst({ tree }: MaterialiseRequest): void {
  try {
    makePlainDirectory(tree);
  } catch (error) {
    throw cannotMake(tree, treeRoot, error);
  }
}

async function write(request: MaterialiseRequest, writer: PlanWriter): Promise<void> {
  const { plan } = request;
  writer.finishLater(treeRoot, plan.root, false);
  await readInodes(toLink(request));
  const { operations } = plan;
  for (const [count, operation] of operations.entries()) {
    request.onStep?.(count, operations.length);
    await writer.make(operation);
    if ((count + 1) % operationsPerTurn === 0) await breathe();
    request.signal?.throwIfAborted();
  }
  request.onStep?.(operations.length, operations.length);
  writer.finishDirectories();
}

function toLink({ plan, linkable, sources }: MaterialiseRequest): BytePath[] {
  if (linkable === undefined) return [];
  return plan.operations.flatMap((operation) => {
    if (operation.kind !== 'file' || !linkable.has(operation)) return [];
    const { layer, path } = operation.source;
    return [join(must(sources[layer], `the tree of layer ${layer}`), path)];
  });
}
