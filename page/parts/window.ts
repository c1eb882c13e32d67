/* Which rows of a long list are drawn. Pure. */

export interface Rows {
  readonly first: number;
  /** After the last one. */
  readonly end: number;
}

/** Rows drawn beyond what is seen, so that scrolling shows no gap; and by how many the window moves at once. */
const beyond = 8;
const stride = 4;

/** @param top how far the list is scrolled, in pixels; @param height of what is seen of it */
export function rowsInView(count: number, rowHeight: number, top: number, height: number): Rows {
  const first = Math.floor((top / rowHeight - beyond) / stride) * stride;
  const end = Math.ceil(((top + height) / rowHeight + beyond) / stride) * stride;
  return { first: Math.min(Math.max(0, first), Math.max(0, count - 1)), end: Math.max(0, Math.min(count, end)) };
}
