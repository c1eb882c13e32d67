import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { chmodSync } from 'node:fs';
import { fromText, join, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { limits } from '../base/limits.js';
import { hostAndPort, listening } from '../fleet/index.js';
import { removeTreeAtOnce } from '../platform/walk.js';

/** Where an agent is notified that a channel has changed. */
export interface Listener {
  /** Of a port: `http://HOST:PORT`. Of a socket: its path. */
  readonly address: string;
  close(): Promise<void>;
}

const requestMs = 10_000;
const mostConnections = 64;

/** Called with the body of each notification. Must not throw. */
export type OnHint = (body: string) => void;

/**
 * Listens at a socket that only its owner can write to.
 * @param directory held: the path of a socket may have 107 bytes at most
 */
export async function listenAtSocket(directory: BytePath, name: string, onHint: OnHint): Promise<Listener> {
  const path = join(directory, fromText(name));
  // That of an agent which was killed: the caller holds the agent's lock.
  await removeTreeAtOnce(path);
  const server = serverOf(onHint);
  // Whoever could connect between the two calls could only make the agent poll its channel.
  await listening(server, { path: toText(path) });
  chmodSync(toText(path), 0o600);
  return { address: toText(path), close: async () => closed(server) };
}

/** @param at `[HOST:]PORT`, by default on the loopback; port 0: any that is free. @throws LaminaError usage, failed */
export async function listenAtPort(at: string, onHint: OnHint): Promise<Listener> {
  const server = serverOf(onHint);
  const address = await listening(server, hostAndPort(at));
  return { address, close: async () => closed(server) };
}

function serverOf(onHint: OnHint): Server {
  const limitsOf = { requestTimeout: requestMs, headersTimeout: requestMs, keepAliveTimeout: 1000 };
  const server = createServer({ ...limitsOf, maxHeaderSize: 16_384 }, (request, response) => {
    answer(request, response, onHint);
  });
  server.maxConnections = mostConnections;
  return server;
}

function answer(request: IncomingMessage, response: ServerResponse, onHint: OnHint): void {
  const end = (status: number, text: string) => {
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${text}\n`);
  };
  request.on('error', () => undefined);
  if (request.method !== 'POST') {
    end(405, 'send notifications by POST');
    return;
  }
  const pieces: Buffer[] = [];
  let length = 0;
  request.on('data', (piece: Buffer) => {
    length += piece.length;
    if (length <= limits.notification.value) pieces.push(piece);
    else if (!response.headersSent) end(413, 'the notification is too long');
  });
  request.on('end', () => {
    if (response.headersSent) return;
    onHint(Buffer.concat(pieces).toString('utf8'));
    end(202, 'the agent will poll its channel');
  });
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
