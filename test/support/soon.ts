/** Milliseconds that a busy machine may take for one step. */
export const patience = 60_000;

/** Waits until something is there: what a server or a browser does takes its time. */
export async function expectSoon<T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
  for (const end = Date.now() + patience; Date.now() < end;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not come`);
}
