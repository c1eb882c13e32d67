import { display, fromText, isBytesText, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { NodeReader } from '../store/index.js';
import type { Store } from '../store/index.js';
import { changeAt, withContents } from '../update/index.js';
import { detailedData } from './apply.js';
import type { DetailedChangeData } from './apply.js';
import { comparedNodes } from './inspect.js';

/** What differs at one path. */
export interface FileDiffData {
  readonly path: string;
  /** Null: nothing differs there. */
  readonly change: DetailedChangeData | null;
}

/**
 * What differs at a path, with the content of a file: between two things, or between one and the layers below it.
 * @param path absolute, in the root
 * @throws LaminaError usage: no such path can be; as `diff`
 */
export async function fileDiff(
  store: Store,
  { a, b, path }: { readonly a: string; readonly b?: string | undefined; readonly path: string },
): Promise<FileDiffData> {
  const at = pathInRoot(path);
  const manifest = await store.read();
  const reader = new NodeReader(store, manifest);
  const { from, to } = comparedNodes(manifest, reader, a, b);
  const placed = (ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => ({ listing: await reader.listing(id), tree: reader.place(id).tree })));
  const [before, after] = [await placed(from), await placed(to)];
  const change = await withContents(async (contents) => changeAt(contents, before, after, at));
  return { path: `/${toText(at)}`, change: change === undefined ? null : detailedData(change) };
}

/** @throws LaminaError usage: not an absolute path without `.` and `..` */
function pathInRoot(text: string): BytePath {
  const path = isBytesText(text) ? fromText(text) : undefined;
  const parts = path?.split('/').slice(1) ?? [];
  if (path?.startsWith('/') !== true || parts.some((part) => part === '.' || part === '..' || part.includes('\0')))
    throw usage(`'${display(text)}' is not a path in a root`, { hint: 'give an absolute path without . and ..' });
  return parts.filter((part) => part !== '').join('/') as BytePath;
}
