/** How long a command waits for others that hold the store, in milliseconds. */
export const lockPatience = Number(process.env['LAMINA_LOCK_TIMEOUT_MS'] ?? 30_000);
