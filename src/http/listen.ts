import { chmodSync, existsSync, lstatSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { display, dirname, fromBuffer, fromText, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, notFound, refused, usage } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { absolutePath } from '../platform/command-line.js';
import { exposureAt, exposureOnTheWay, exposureText } from '../platform/exposure.js';

/** Where a server listens. `inherited`: on the descriptor that systemd passes. */
export type Address =
  | { readonly kind: 'unix'; readonly path: BytePath }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'inherited'; readonly descriptor: number };

const hint = 'give unix:PATH, 127.0.0.1:PORT or [::1]:PORT';

/** @throws LaminaError usage; refused: an address that other machines reach */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (path === '') throw usage('unix: names no socket', { hint });
    return { kind: 'unix', path: absolutePath(path) };
  }
  const [, host = '', digits = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535) throw usage(`'${display(text)}' is not an address to listen on`, { hint });
  if (host === '127.0.0.1' || host === 'localhost') return { kind: 'tcp', host: '127.0.0.1', port };
  if (host === '[::1]') return { kind: 'tcp', host: '::1', port };
  throw refused(
    `lamina serve does not listen on ${display(host)}, which other machines can reach: it speaks plain HTTP`,
    {
      code: 'NOT_LOOPBACK',
      hint: 'listen on 127.0.0.1, and connect through ssh -L, or through a proxy that speaks TLS: see docs/serve.md',
    },
  );
}

/** The socket that systemd passes (sd_listen_fds(3)); undefined: none. @throws LaminaError usage: there are several */
export function inheritedSocket(environment: NodeJS.ProcessEnv): Address | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = environment;
  delete environment['LISTEN_PID'];
  delete environment['LISTEN_FDS'];
  delete environment['LISTEN_FDNAMES'];
  if (count === undefined || (pid !== undefined && pid !== String(process.pid))) return undefined;
  if (count !== '1')
    throw usage(`systemd passes ${display(count)} sockets; lamina serve listens on one`, {
      hint: 'leave one ListenStream= in the socket unit',
    });
  return { kind: 'inherited', descriptor: 3 };
}

/** What a server listens on, once it does. */
export interface Listening {
  /** As --remote takes it. */
  readonly url: string;
  /** Undefined: a unix socket. */
  readonly port: number | undefined;
}

/**
 * @throws LaminaError usage: the path of the socket is too long; notFound: its directory does not exist; refused:
 * another server listens there, or other users could replace the socket or, of one that systemd passes, connect to it;
 * failed as listen(2)
 */
export async function listen(server: Server, address: Address): Promise<Listening> {
  if (address.kind === 'unix') await clearPath(address.path);
  const options =
    address.kind === 'unix'
      ? { path: toText(address.path) }
      : address.kind === 'tcp'
        ? { host: address.host, port: address.port }
        : { fd: address.descriptor };
  // Nobody else may connect before the mode is set.
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw isSystemError(error, 'EADDRINUSE') ? inUse(address) : error;
  } finally {
    process.umask(before);
  }
  if (address.kind === 'unix') chmodSync(toBuffer(address.path), 0o600);
  const name = address.kind === 'inherited' ? boundName(address.descriptor) : undefined;
  const listening = listeningOn(name ?? server.address());
  if (address.kind === 'inherited' && listening.port === undefined) checkWhoMayConnect(name);
  return listening;
}

/**
 * Of a unix socket that another program bound (proc_net(5)): Node.js knows no name for it. One that begins with `@` is
 * no path. Undefined: it is no unix socket, or one of another network namespace.
 */
function boundName(descriptor: number): string | undefined {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
  if (inode === undefined) return undefined;
  // Num RefCount Protocol Flags Type St Inode Path
  const line = new RegExp(`^(?:\\S+ +){6}${inode} ([/@].*)$`, 'm');
  const [, path] = line.exec(readFileSync('/proc/net/unix', 'latin1')) ?? [];
  return path === undefined ? undefined : toText(fromBuffer(Buffer.from(path, 'latin1')));
}

/**
 * Whoever may write a socket may connect: its mode is all that says who may. systemd makes sockets that everybody may
 * write, unless their unit says otherwise. A group is the choice of who wrote the unit.
 */
function checkWhoMayConnect(name: string | undefined): void {
  if (name === undefined) {
    warn('cannot check who may connect to the socket that systemd passes: it is of another network namespace');
    return;
  }
  const status = name.startsWith('@') ? undefined : lstatSync(toBuffer(fromText(name)), { throwIfNoEntry: false });
  if (status !== undefined && (status.mode & 0o002) === 0) return;
  throw refused(`every user of this machine may connect to the socket ${display(name)} that systemd passes`, {
    code: 'SOCKET_EXPOSED',
    hint: 'in the socket unit, give ListenStream= a path, and set SocketMode=0600, or SocketMode=0660 with SocketGroup=',
  });
}

function listeningOn(at: AddressInfo | string | null): Listening {
  if (at === null || typeof at === 'string') return { url: `unix:${at ?? ''}`, port: undefined };
  const isLoopback = at.address === '::1' || at.address.startsWith('127.');
  if (!isLoopback)
    throw refused(`the socket that systemd passes listens on ${at.address}, which other machines can reach`, {
      code: 'NOT_LOOPBACK',
      hint: 'set ListenStream= of the socket unit to a path, or to 127.0.0.1:PORT',
    });
  return { url: `http://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}`, port: at.port };
}

const inUse = (address: Address) =>
  refused(
    `another program listens on ${address.kind === 'tcp' ? `${address.host}:${address.port}` : 'that socket'} already`,
    { code: 'ADDRESS_IN_USE', hint: 'end it, or choose another address with --listen' },
  );

/** Bytes of the path of a socket (unix(7)): of a longer one Node.js would take the start. */
const longestPath = 107;

/** Removes the socket of a server that has ended. What is no socket, or is in use, stays. */
async function clearPath(path: BytePath): Promise<void> {
  if (toBuffer(path).length > longestPath)
    throw usage(`the path of the socket ${display(path)} has more than ${longestPath} bytes`, {
      hint: 'choose a shorter one with --listen unix:PATH',
    });
  const exposed = exposureOnTheWay(path) ?? exposureAt(dirname(path));
  if (exposed !== undefined && exposed.path !== path)
    throw refused(`other users could replace the socket ${display(path)}: ${exposureText(exposed)}`, {
      code: 'SOCKET_EXPOSED',
      hint: 'choose a directory that only its owner may write, such as /run/lamina',
    });
  if (!existsSync(toBuffer(dirname(path))))
    throw notFound(`the directory of the socket ${display(path)} does not exist`, {
      hint: 'make it first, with mode 0700, or choose another path with --listen',
    });
  const status = lstatSync(toBuffer(path), { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket())
    throw refused(`${display(path)} exists and is not a socket`, {
      code: 'NOT_A_SOCKET',
      hint: 'choose another path, or remove it yourself',
    });
  if (await answers(path)) throw inUse({ kind: 'unix', path });
  rmSync(toBuffer(path));
}

async function answers(path: BytePath): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(toText(path));
    connection.on('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.on('error', (error) => {
      if (isSystemError(error, 'ECONNREFUSED', 'ENOENT')) resolve(false);
      else reject(error);
    });
  });
}
