import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildTiny } from './lamina.js';

export const hasAll = (...programs: string[]) =>
  programs.every((program) => spawnSync('which', [program], { encoding: 'utf8' }).status === 0);

/** What a program prints that must end well. */
export function must(program: string, ...args: string[]): string {
  const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr}`);
  return done.stdout;
}

export interface Exported {
  readonly digest: string;
  readonly layers: number;
}

export interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
  readonly annotations?: Readonly<Record<string, string>>;
}
export interface Config {
  readonly config: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
}

const blobOf = (layout: string, digest: string): unknown =>
  JSON.parse(readFileSync(join(layout, 'blobs/sha256', digest.slice(7)), 'utf8'));

export const manifestOf = (layout: string, digest: string): Manifest => blobOf(layout, digest) as Manifest;
export const configOf = (layout: string, digest: string): Config => blobOf(layout, digest) as Config;

/** Of the image `base` in a layout. */
export function digestOf(layout: string): string {
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  const found = index.manifests.find((each) => each.annotations['org.opencontainers.image.ref.name'] === 'base');
  return found!.digest;
}

/** A layout with the image `base`: the tiny root, and a layer upon it. */
export function makeImage(layout: string, tiny: string, bundle: string): void {
  must('umoci', 'init', '--layout', layout);
  must('umoci', 'new', '--image', `${layout}:base`);
  must('umoci', 'unpack', '--image', `${layout}:base`, bundle);
  must('cp', '-a', `${buildTiny(tiny)}/.`, `${bundle}/rootfs/`);
  // Go's archives have no attributes without a value.
  must('setfattr', '-x', 'user.empty', `${bundle}/rootfs/etc/hosts`);
  must('umoci', 'repack', '--refresh-bundle', '--image', `${layout}:base`, bundle);
  writeFileSync(`${bundle}/rootfs/opt/big`, Buffer.alloc(3_000_000, 'some content '));
  must('ln', `${bundle}/rootfs/opt/big`, `${bundle}/rootfs/srv/big`);
  rmSync(`${bundle}/rootfs/etc/conf.d`, { recursive: true });
  must('umoci', 'repack', '--image', `${layout}:base`, bundle);
  must('umoci', 'config', '--image', `${layout}:base`, '--config.cmd', '/bin/sh', '--config.env', 'A=1');
}

export interface Registry {
  readonly port: number;
  readonly log: () => string;
  readonly stop: () => void;
  /** Stops it, and waits until it has ended. */
  readonly ended: () => Promise<void>;
}

/** Debian's registry on the loopback, on a port that the kernel chooses. @param deletes whether it removes anything */
export async function startRegistry(directory: string, deletes = false): Promise<Registry> {
  const config = `${directory}.yml`;
  const lines = ['version: 0.1', 'log: {level: info, formatter: text}', `http: {addr: "127.0.0.1:0"}`];
  const storage = `storage: {filesystem: {rootdirectory: ${directory}}, delete: {enabled: ${deletes}}}`;
  writeFileSync(config, [...lines, storage].join('\n'));
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  let port: string | undefined;
  while ((port = /listening on 127\.0\.0\.1:(\d+)/.exec(log)?.[1]) === undefined) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended: ${log}`);
    await sleep(10);
  }
  const ended = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.kill();
    await closed;
  };
  return { port: Number(port), log: () => log, stop: () => void child.kill(), ended };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Lets skopeo with this home directory speak to registries without certificates. */
export function trust(home: string, registries: readonly Pick<Registry, 'port'>[]): void {
  const directory = join(home, '.config/containers');
  mkdirSync(directory, { recursive: true });
  const entries = registries.map(({ port }) => `[[registry]]\nlocation = "127.0.0.1:${port}"\ninsecure = true\n`);
  writeFileSync(join(directory, 'registries.conf'), entries.join(''));
}

export const remoteManifest = (home: string, image: string): Manifest =>
  JSON.parse(must('env', `HOME=${home}`, 'skopeo', 'inspect', '--raw', `docker://${image}`)) as Manifest;
