import { failed, messageOf, refused } from '../base/errors.js';
import { shownUrl } from '../channel/index.js';
import { reportPath } from '../fleet/index.js';
import type { Follower } from './follower.js';

const timeoutMs = 30_000;

/** Reports go to the channel itself, as a file a machine. */
export const toChannel = 'channel';

/**
 * Sends a report to where the base's settings say.
 * @throws LaminaError failed, refused: the receiver does not take it
 */
export async function sendReport({ client, settings, machine, signal }: Follower, bytes: Uint8Array): Promise<void> {
  if (settings.report === null) return;
  if (settings.report !== toChannel) {
    await post(settings.report, bytes, signal);
    return;
  }
  if (client.carrier.write === undefined)
    throw refused(`reports cannot be sent to ${settings.url}`, {
      code: 'CHANNEL_READ_ONLY',
      hint: 'a web server cannot receive reports: follow the channel with --report URL, the address of lamina channel receive',
    });
  await client.carrier.write(reportPath(machine.id), bytes, { signal });
}

async function post(url: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      // A copy: the type of a body excludes views of shared memory.
      body: Uint8Array.from(bytes),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw notSent(url, causeOf(error), error);
  }
  // The answer of the receiver is not needed, and may be of any length.
  await response.body?.cancel();
  if (response.status === 409) throw notSent(url, 'it has a newer one of this machine', undefined, overtaken);
  if (!response.ok) throw notSent(url, `it answers ${response.status}`);
}

/** `fetch` says only "fetch failed"; the reason is the cause. */
function causeOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : messageOf(error);
}

const usual =
  'check the address (lamina follow shows it), and whether this machine is enrolled; the next poll sends the report again';
const overtaken =
  'the clock was set back, or another store has the key of this machine; its operator can expel and enroll the machine';

function notSent(url: string, why: string, cause?: unknown, hint = usual) {
  return failed(`the report could not be sent to ${shownUrl(new URL(url))}: ${why}`, {
    code: 'REPORT_NOT_SENT',
    hint,
    cause,
  });
}
