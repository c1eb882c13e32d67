import { setTimeout as sleep } from 'node:timers/promises';
import type { IncomingMessage } from 'node:http';
import type { Progress } from '../../app/apply.js';
import { LaminaError, failed } from '../../base/errors.js';
import { isRecord, jsonOf } from '../../base/json.js';
import { progressUnits } from '../../base/steps.js';
import { thrownError } from '../../app/json/thrown-error.js';
import type { Asked, RemoteStore } from './client.js';
import { escaped } from './escaped.js';

export interface JobListener {
  /** Sends the server a request to cancel the job. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** What the command prints on the server beside its result. */
  readonly onOutput: (text: string) => void;
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly exitCode: number | null;
  /** Undefined: from an older server. */
  readonly message?: string | null;
  readonly result: Record<string, unknown> | null;
}

/** How often in turn the connection may be lost, and milliseconds between tries. */
const mostLosses = 30;
const pause = 1000;

/**
 * Starts an action on a server, and waits for the end, also over losses of the connection: the job does not depend on
 * it.
 * @throws LaminaError the error of the command; failed: its end is unknown
 */
export async function remoteJob<T extends object>(
  remote: RemoteStore,
  asked: Asked,
  listener: JobListener,
): Promise<T> {
  listener.signal.throwIfAborted();
  const { job } = await remote.ask<{ job: Job }>(asked);
  const path = `/jobs/${escaped(job.id)}`;
  const cancel = () => {
    // One that has ended meanwhile refuses; its end is reported below.
    remote.ask({ method: 'DELETE', path }).catch((error: unknown) => {
      if (!(error instanceof LaminaError)) throw error;
      listener.onOutput(`the job could not be cancelled: ${error.message}\n`);
    });
  };
  const output = new HeldOutput(listener.onOutput);
  listener.signal.addEventListener('abort', cancel);
  try {
    await follow(remote, `${path}/events`, { ...listener, onOutput: output.add });
  } finally {
    listener.signal.removeEventListener('abort', cancel);
  }
  const ended = await remote.ask<{ job: Job }>({ path });
  output.end(isRecord(ended.job.result?.['error']));
  return resultOf(ended.job) as T;
}

const errorStart = 'lamina: ';

/** What a job prints, but for the error that it prints last: this process reports that one itself. */
class HeldOutput {
  #held = '';

  constructor(readonly print: (text: string) => void) {}

  readonly add = (text: string): void => {
    const all = this.#held + text;
    const last = all.lastIndexOf(`\n${errorStart}`);
    const from = last >= 0 ? last + 1 : all.startsWith(errorStart) ? 0 : all.length;
    this.#held = all.slice(from);
    if (from > 0) this.print(all.slice(0, from));
  };

  end(hasError: boolean): void {
    if (!hasError && this.#held !== '') this.print(this.#held);
  }
}

function resultOf({ id, state, exitCode, message, result }: Job): object {
  const { formatVersion: _, error, ...data } = result ?? {};
  if (isRecord(error)) throw thrownError(error, exitCode ?? 1);
  if (state === 'done' && result !== null) return data;
  throw failed(`job ${id} is ${state}: ${message ?? 'the server does not know how it ended'}`, {
    code: 'ABORTED',
    hint: 'lamina --remote URL status shows whether the change was published',
  });
}

/** Reads events until the last one, from where it was after a loss of the connection. */
async function follow(remote: RemoteStore, path: string, listener: JobListener): Promise<void> {
  let last = '';
  for (let losses = 0; losses < mostLosses;) {
    try {
      const response = await remote.open({ path }, last === '' ? {} : { 'last-event-id': last });
      // 204: there is nothing after the event that we had last.
      if (response.statusCode !== 200) return void response.resume();
      for await (const { event, id, data } of eventsOf(response)) {
        last = id;
        losses = 0;
        if (event === 'end') return void response.destroy();
        report(event, jsonOf(data), listener);
      }
    } catch (error) {
      if (losses === mostLosses - 1) throw error;
    }
    losses += 1;
    await sleep(pause);
  }
  throw failed('the connection to the server was lost too often; the job continues there', {
    code: 'UNREACHABLE',
    hint: 'lamina --remote URL status shows the result',
  });
}

function report(event: string, data: unknown, { onProgress, onOutput }: JobListener): void {
  if (!isRecord(data)) return;
  if (event === 'output' && typeof data['text'] === 'string') onOutput(data['text']);
  const { type, unit, total, done, skipped, running } = data;
  if (event !== 'progress' || type !== 'progress' || !Array.isArray(running)) return;
  if (typeof total !== 'number' || typeof done !== 'number' || typeof skipped !== 'number') return;
  const steps = running.filter(isRecord).map(({ name, since }) => ({
    name: typeof name === 'string' ? name : undefined,
    since: typeof since === 'string' ? Date.parse(since) : Date.now(),
  }));
  const known = progressUnits.find((each) => each === unit) ?? 'containers';
  onProgress?.({ unit: known, total, done, skipped, running: steps });
}

interface Event {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** Characters of one event. */
const longestEvent = 4 << 20;

async function* eventsOf(response: IncomingMessage): AsyncGenerator<Event> {
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) {
    text += part as string;
    if (text.length > longestEvent) throw failed('an event of the server is too long', { code: 'BAD_ANSWER' });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const [event, id, data] = [field('event'), field('id'), field('data')];
      if (event !== undefined && id !== undefined && data !== undefined) yield { event, id, data };
    }
  }
}
