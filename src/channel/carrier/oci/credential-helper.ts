import * as z from 'zod';
import { printable } from '../../../base/bytes.js';
import { LaminaError, messageOf } from '../../../base/errors.js';
import { jsonOf } from '../../../base/json.js';
import { runProcess } from '../../../platform/process.js';
import type { Login } from './login.js';

/** A helper may ask a key ring, or a person. */
const usualTimeoutMs = 60_000;
const mostOutput = 256 * 1024;
const shownOutput = 300;

/** What a helper prints, and ends with 1, where it has no login: the protocol has no other sign of it. */
const noLogin = /credentials not found|no credentials/i;
/** The name of a user whose secret is an identity token (docker-credential-helpers). */
const tokenUser = '<token>';

const answerSchema = z.looseObject({ Username: z.string(), Secret: z.string() });

/** Why a helper gave no answer. Nothing of a secret is in the message. */
export class HelperFault extends Error {}

/**
 * The login that `docker-credential-NAME get` has for a registry: the protocol of docker-credential-helpers, as
 * containers-auth.json(5) refers to it. Undefined: it has none.
 * @param name as the auth file gives it
 * @throws HelperFault: there is no such program, it fails, or its answer is not valid, too long or too late; the
 * signal's reason
 */
export async function askHelper(
  name: string,
  registry: string,
  { signal, timeoutMs = usualTimeoutMs }: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number },
): Promise<Login | undefined> {
  // It becomes a part of the name of a program, which the PATH finds.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) throw new HelperFault('its name is not the name of a helper');
  const { exitCode, output } = await run(`docker-credential-${name}`, registry, signal, timeoutMs);
  if (exitCode !== 0) {
    if (noLogin.test(output)) return undefined;
    const said = printable(output.trim().slice(0, shownOutput));
    throw new HelperFault(`it ended with exit code ${exitCode}${said === '' ? '' : `: ${said}`}`);
  }
  const answer = answerSchema.safeParse(jsonOf(output)).data;
  if (answer === undefined) throw new HelperFault('its answer is not {"Username": …, "Secret": …}');
  const { Username: user, Secret: secret } = answer;
  if (user === '' && secret === '') return undefined;
  return user === tokenUser
    ? { user: '', password: '', identityToken: secret }
    : { user, password: secret, identityToken: undefined };
}

async function run(program: string, registry: string, signal: AbortSignal | undefined, timeoutMs: number) {
  const pieces: Buffer[] = [];
  const tooLong = new AbortController();
  let length = 0;
  const onOutput = (chunk: Buffer, stream: 'stdout' | 'stderr') => {
    if (stream === 'stderr' || tooLong.signal.aborted) return;
    length += chunk.length;
    if (length > mostOutput) tooLong.abort();
    else pieces.push(chunk);
  };
  const ends = signal === undefined ? tooLong.signal : AbortSignal.any([signal, tooLong.signal]);
  const request = { command: program, args: ['get'], stdin: Buffer.from(`${registry}\n`), signal: ends };
  const ended = await runProcess({ ...request, onOutput, timeoutMs, graceMs: 500 }).catch((error: unknown) => {
    signal?.throwIfAborted();
    if (!(error instanceof LaminaError)) throw error;
    throw new HelperFault(messageOf(error), { cause: error });
  });
  signal?.throwIfAborted();
  if (tooLong.signal.aborted) throw new HelperFault(`it prints more than ${mostOutput} bytes`);
  if (ended.ended === 'timeout') throw new HelperFault(`it did not end within ${timeoutMs / 1000} s`);
  return { exitCode: ended.exitCode, output: Buffer.concat(pieces).toString('utf8') };
}
