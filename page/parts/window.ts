/* Which rows of a long list are drawn. Pure. */

export interface Rows {
  readonly first: number;
  /** After the last one. */
  readonly end: number;
}

/** Rows drawn beyond what is seen, so that scrolling shows no gap. */
const beyond = 12;

/** @param top how far the list is scrolled, in pixels; @param height of what is seen of it */
export function rowsInView(count: number, rowHeight: number, top: number, height: number): Rows {
  const first = Math.max(0, Math.floor(top / rowHeight) - beyond);
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + beyond);
  return { first: Math.min(first, Math.max(0, count - 1)), end: Math.max(end, 0) };
}
