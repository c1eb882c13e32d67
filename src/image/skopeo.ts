import { printable } from '../base/bytes.js';
import { LaminaError, failed, notFound } from '../base/errors.js';
import { jsonOf } from '../base/json.js';
import { runProcess } from '../platform/process.js';
import { hasProgram } from '../platform/programs.js';

/** What skopeo may print: descriptions of images. Bytes. */
const mostOutput = 8 << 20;
/** Of its messages only the end is kept. Characters. */
const mostSaid = 1 << 16;

export interface SkopeoRun {
  readonly signal?: AbortSignal | undefined;
  readonly onStart?: ((pid: number) => void) | undefined;
}

export interface SkopeoResult {
  readonly ok: boolean;
  readonly output: Buffer;
  /** Its last message, for people. */
  readonly said: string;
}

/**
 * Runs skopeo(1), with the user's own settings: credentials, certificates, mirrors and policy are those of
 * containers-auth.json(5), containers-registries.conf(5) and containers-policy.json(5).
 * @throws LaminaError notFound: there is no such program; failed: it prints too much; the signal's reason where it was
 * aborted
 */
export async function runSkopeo(args: readonly string[], { signal, onStart }: SkopeoRun): Promise<SkopeoResult> {
  const output: Buffer[] = [];
  let size = 0;
  let said = '';
  const result = await runProcess({
    command: 'skopeo',
    args,
    ...(signal === undefined ? {} : { signal }),
    ...(onStart === undefined ? {} : { onStart }),
    onOutput(chunk, stream) {
      if (stream === 'stderr') said = (said + chunk.toString('utf8')).slice(-mostSaid);
      else if ((size += chunk.length) <= mostOutput) output.push(chunk);
    },
  }).catch((error: unknown) => {
    throw error instanceof LaminaError && error.kind === 'notFound' ? noSkopeo(error) : error;
  });
  signal?.throwIfAborted();
  if (size > mostOutput) throw failed(`skopeo ${args.join(' ')} prints too much`, { code: 'SKOPEO_FAILED' });
  return { ok: result.exitCode === 0, output: Buffer.concat(output), said: lastMessage(said) };
}

function noSkopeo(cause: unknown): LaminaError {
  return notFound("cannot run 'skopeo': no such program", {
    code: 'NO_SKOPEO',
    hint: 'install it (Debian: skopeo); oci:DIR and oci-archive:FILE do not need it',
    cause,
  });
}

/** Its messages are lines `time="…" level=fatal msg="…"`, with the message quoted as in Go. */
function lastMessage(text: string): string {
  const lines = text.trim().split('\n');
  const last = lines.findLast((line) => line.includes('level=fatal')) ?? lines.at(-1) ?? '';
  const quoted = /msg=("(?:[^"\\]|\\.)*")/.exec(last)?.[1];
  const value = quoted === undefined ? undefined : jsonOf(quoted);
  const message = typeof value === 'string' ? value : (quoted ?? last);
  return printable(message.slice(0, 1000)) || 'it gives no reason';
}

export interface FetchOptions {
  readonly signal: AbortSignal | undefined;
  /** What it is about, for errors. */
  readonly called: string;
}

/** @throws LaminaError notFound: there is no skopeo */
export function requireSkopeo(called: string): void {
  if (!hasProgram('skopeo'))
    throw notFound(`${called} is fetched by skopeo, which is not in PATH`, {
      code: 'NO_SKOPEO',
      hint: 'install it (Debian: skopeo), or give the image as oci:DIR, oci-archive:FILE or docker-archive:FILE',
    });
}

/** What skopeo prints of an image, or nothing where it fetches one. @throws LaminaError as runSkopeo; failed */
export async function skopeo(args: readonly string[], { signal, called }: FetchOptions): Promise<Buffer> {
  const { ok, output, said } = await runSkopeo(args, { signal });
  if (ok) return output;
  throw failed(`skopeo cannot get ${called}: ${said}`, {
    code: 'SKOPEO_FAILED',
    hint: 'check the name; log in to a registry that asks for it with: skopeo login REGISTRY',
  });
}
