import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, status } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { fromText } from '../../src/base/bytes.js';
import { configureLayer } from '../../src/mount/kernel/layers.js';
import { attachMount, configure, createFileSystem, makeMount, openFileSystem } from '../../src/platform/native.js';
import { serviceDefinition } from '../../src/snapshotter/serve.js';

export interface Mount {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

export interface Info {
  readonly name: string;
  readonly parent: string;
  readonly kind: number;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
  readonly labels: Readonly<Record<string, string>>;
}

export const kind = { view: 1, active: 2, committed: 3 } as const;

type Labels = Readonly<Record<string, string>>;
type Unary = (request: object, answer: (error: ServiceError | null, response: never) => void) => void;
type Stream = (request: object) => AsyncIterable<{ readonly info: Info[] }>;

/** Calls a snapshotter as containerd does: over its socket. */
export class SnapshotClient {
  readonly #client: Client;

  constructor(readonly address: string) {
    this.#client = new (serviceDefinition())(`unix://${address}`, credentials.createInsecure());
  }

  /** Anything that a client could send. */
  async call<T = object>(method: string, request: object): Promise<T> {
    const calls = this.#client as unknown as Record<string, Unary>;
    return new Promise<T>((resolve, reject) => {
      calls[method]!.call(this.#client, { snapshotter: 'lamina', ...request }, (error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  }

  async prepare(key: string, parent = '', labels: Labels = {}): Promise<readonly Mount[]> {
    return (await this.call<{ mounts: Mount[] }>('Prepare', { key, parent, labels })).mounts;
  }
  async view(key: string, parent = '', labels: Labels = {}): Promise<readonly Mount[]> {
    return (await this.call<{ mounts: Mount[] }>('View', { key, parent, labels })).mounts;
  }
  async mounts(key: string): Promise<readonly Mount[]> {
    return (await this.call<{ mounts: Mount[] }>('Mounts', { key })).mounts;
  }
  async commit(name: string, key: string, labels: Labels = {}, parent = ''): Promise<void> {
    await this.call('Commit', { name, key, labels, parent });
  }
  async remove(key: string): Promise<void> {
    await this.call('Remove', { key });
  }
  async stat(key: string): Promise<Info> {
    return (await this.call<{ info: Info }>('Stat', { key })).info;
  }
  async update(info: object, ...paths: string[]): Promise<Info> {
    return (await this.call<{ info: Info }>('Update', { info, update_mask: { paths } })).info;
  }
  async usage(key: string): Promise<{ readonly size: number; readonly inodes: number }> {
    return this.call('Usage', { key });
  }
  async cleanup(): Promise<void> {
    await this.call('Cleanup', {});
  }
  async list(...filters: string[]): Promise<Info[]> {
    const calls = this.#client as unknown as Record<string, Stream>;
    const found: Info[] = [];
    for await (const { info } of calls['List']!.call(this.#client, { snapshotter: 'lamina', filters }))
      found.push(...info);
    return found;
  }
  async names(...filters: string[]): Promise<string[]> {
    return (await this.list(...filters)).map(({ name }) => name).sort();
  }

  close(): void {
    this.#client.close();
  }
}

/** The name of the code with which a call fails. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return status[(error as ServiceError).code];
  }
  return 'OK';
}

/** The details with which a call fails. */
export async function detailsOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return (error as ServiceError).details;
  }
  throw new Error('the call did not fail');
}

/** mount(2) takes a page of options. */
const longestOptions = 4000;

/** Mounts as containerd does: with options that are too long from the directory that all trees are in. */
export function mountAt(directory: string, [mount]: readonly Mount[]): void {
  if (mount === undefined) throw new Error('there is no mount');
  const { type, source, options } = mount;
  mkdirSync(directory, { recursive: true });
  const long = options.join(',');
  const nodes = /lowerdir=(.*?\/nodes\/)/.exec(long)?.[1] ?? '/';
  const words = long.length > longestOptions ? long.replaceAll(nodes, '') : long;
  const commands = {
    bind: ['mount', '--rbind', '-o', options.filter((each) => each !== 'rbind').join(','), source, directory],
    overlay: ['mount', '-i', '-t', 'overlay', '-o', words, source, directory],
    'fuse3.laminafs': ['mount.fuse3', source, directory, '-o', long, '-t', 'laminafs'],
  }[type];
  if (commands === undefined) throw new Error(`unknown type ${type}`);
  run(commands, type === 'overlay' ? nodes : '/');
  // A bind mount is read-only only when it is told so again.
  if (type === 'bind' && options.includes('ro')) run(['mount', '-o', 'remount,bind,ro', directory], '/');
}

/** The directory that a mount writes into. */
export const upperOf = ([mount]: readonly Mount[]): string =>
  mount?.options.find((each) => each.startsWith('upperdir='))?.slice('upperdir='.length) ?? mount?.source ?? '';

/**
 * A mount of overlayfs that has followed its paths, as mount(2) does first. Gives what goes on with it, however much
 * later: it is attached to a directory then.
 */
export function begunMount([mount]: readonly Mount[]): (directory: string) => void {
  const context = openFileSystem('overlay');
  configure(context, 'source', Buffer.from(mount?.source ?? ''));
  const options = (mount?.options ?? []).map((each) => each.split(/=(.*)/s));
  for (const [key = '', value = ''] of options) {
    if (key === 'lowerdir') for (const each of value.split(':')) configureLayer(context, 'lowerdir+', fromText(each));
    else if (/^(upper|work)dir$/.test(key)) configureLayer(context, key, fromText(value));
    else configure(context, key, Buffer.from(value));
  }
  return (directory) => {
    createFileSystem(context);
    const made = makeMount(context, 0);
    const place = openSync(directory, 'r');
    attachMount(made, place);
    for (const each of [context, made, place]) closeSync(each);
  };
}

export function unmountAt(directory: string, { lazy = false } = {}): void {
  run(['umount', ...(lazy ? ['--lazy'] : []), directory], '/');
}

function run([program = '', ...args]: readonly string[], cwd: string): void {
  const { status: code, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (code !== 0) throw new Error(`${program} ${args.join(' ').slice(0, 300)} ended with ${String(code)}: ${stderr}`);
}

/** Does something in what a snapshot shows, and unmounts it. */
export function within<T>(directory: string, mounts: readonly Mount[], work: (root: string) => T): T {
  const root = join(directory, 'mounted');
  mountAt(root, mounts);
  try {
    return work(root);
  } finally {
    unmountAt(root);
  }
}
