import { request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { exitCodeHeader, thrownError } from '../../app/json/thrown-error.js';
import { formatVersion } from '../../app/json/version.js';
import { display } from '../../base/bytes.js';
import { failed, messageOf } from '../../base/errors.js';
import { isRecord, jsonOf } from '../../base/json.js';
import type { RemoteAddress } from './address.js';

/** Bytes of an answer, and milliseconds without a byte of it. */
const longestAnswer = 256 << 20;
const patience = 120_000;
const prefix = '/api/v1';
const partLength = 5000;

export interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Below /api/v1, with its parameters. */
  readonly path: string;
  readonly body?: object;
}

/** The server's own hint is for browsers and programs. */
const tokenHint = 'LAMINA_TOKEN_FILE must name a file with one of the tokens that the server has';

/** The answers of a server, as the data of commands. */
export class RemoteStore {
  constructor(
    readonly address: RemoteAddress,
    readonly token: string | undefined,
  ) {}

  /** @throws LaminaError the error of the server; failed: it cannot be reached, or does not answer like one */
  async ask<T extends object>(asked: Asked): Promise<T> {
    const response = await this.open(asked, {});
    const text = await textOf(response);
    const document = jsonOf(text);
    const status = response.statusCode ?? 0;
    if (!isRecord(document)) throw this.#notLamina(`it answers ${status} without a document`);
    const { formatVersion: version, ...data } = document;
    if (isRecord(data['error'])) {
      const error = data['error']['code'] === 'NO_TOKEN' ? { ...data['error'], hint: tokenHint } : data['error'];
      throw thrownError(error, Number(response.headers[exitCodeHeader] ?? 1));
    }
    if (version !== formatVersion) throw this.#notLamina(`its documents have version ${JSON.stringify(version)}`);
    return data as T;
  }

  /** All parts of a list. @param path with a `?`; @param place the parameter that says where a part begins */
  async askAll<T extends object>(path: string, field: keyof T & string, place = 'offset'): Promise<T> {
    const all: unknown[] = [];
    for (;;) {
      const data = await this.ask<T & { readonly total?: number }>({
        path: `${path}&${place}=${all.length}&limit=${partLength}`,
      });
      // The fields that describe the part are not fields of the command's document.
      const { total = 0, [place]: _, ...document } = data as typeof data & Readonly<Record<string, unknown>>;
      const items: unknown = data[field];
      if (!Array.isArray(items)) throw this.#notLamina(`its list has no ${field}`);
      all.push(...(items as unknown[]));
      if (items.length === 0 || all.length >= total) return { ...document, [field]: all } as unknown as T;
    }
  }

  /** The answer as it comes. The caller reads or destroys it. */
  async open({ method = 'GET', path, body }: Asked, headers: Record<string, string>): Promise<IncomingMessage> {
    const { address, token } = this;
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options: RequestOptions = {
      method,
      path: prefix + path,
      ...(address.kind === 'unix'
        ? { socketPath: address.socket, host: 'localhost' }
        : { host: address.host, port: address.port }),
      headers: {
        ...headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    };
    const request = address.kind === 'https' ? (await import('node:https')).request : httpRequest;
    return new Promise((resolve, reject) => {
      const sent = request(options, resolve);
      sent.setTimeout(patience, () => sent.destroy(new Error(`no answer within ${patience / 1000} s`)));
      sent.on('error', (error) => {
        reject(this.#unreachable(error));
      });
      sent.end(text);
    });
  }

  get #shown(): string {
    const { address } = this;
    if (address.kind === 'unix') return display(`unix:${address.socket}`);
    return display(
      `${address.kind}://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`,
    );
  }

  #unreachable(error: Error): Error {
    return failed(`cannot reach the server at ${this.#shown}: ${messageOf(error)}`, {
      code: 'UNREACHABLE',
      hint: 'check that lamina serve is running there; see docs/serve.md',
      cause: error,
    });
  }

  #notLamina(why: string): Error {
    return failed(`the server at ${this.#shown} is not one that this version of lamina understands: ${why}`, {
      code: 'BAD_ANSWER',
      hint: 'use the same version on both sides',
    });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    const chunk = part as Buffer;
    size += chunk.length;
    if (size > longestAnswer) throw failed('the answer of the server is too long', { code: 'BAD_ANSWER' });
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}
