import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { components, join as joinPath, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { newId } from '../../base/ids.js';
import { temporaryDirectory } from '../../platform/command-line.js';
import { filled } from './plant.js';
import type { SandboxPlan } from './plan.js';

/** The records that lamina-init reads (native/init/setup.h). */
export function setupRecords(plan: SandboxPlan, hostName: string, foreground: boolean): Buffer {
  const isRoot = process.getuid?.() === 0;
  const fields: string[] = foreground ? ['foreground'] : [];
  const directory = (path: BytePath, mode: number, uid: number, gid: number) => {
    // Without root there is one user only.
    fields.push('directory', `/${path}`, mode.toString(8), isRoot ? `${uid}` : '0', isRoot ? `${gid}` : '0');
  };
  for (const path of Object.values(plan.places.of)) fields.push('mounted', `/${path}`);
  directory(joinPath(plan.places.of.dev, 'shm'), 0o1777, 0, 0);
  for (const { path, mode, uid, gid } of plan.directories) directory(path, mode, uid, gid);
  const made = new Set<string>(plan.directories.map(({ path }) => path));
  for (const file of plan.network.filter(({ inMount }) => inMount)) {
    for (const { path, content } of filled(file, hostName)) {
      for (const parent of parentsInMount(path, plan).filter((each) => !made.has(each))) {
        directory(parent, 0o755, 0, 0);
        made.add(parent);
      }
      fields.push('file', `/${path}`, content.toString('latin1').replaceAll('\0', ''));
    }
  }
  return Buffer.from(fields.map((field) => `${field}\0`).join(''), 'latin1');
}

function parentsInMount(path: BytePath, { places }: SandboxPlan): BytePath[] {
  const names = components(path);
  const parents = names.slice(0, -1).map((_, i) => joinPath(...names.slice(0, i + 1)));
  const roots = Object.values(places.of).filter((place) => path.startsWith(`${place}/`));
  const depth = Math.max(...roots.map((place) => components(place).length));
  return parents.slice(depth);
}

/** A file without a name: what is in it is handed over by its descriptor, to be read from its start. */
export class NamelessFile {
  readonly descriptor: number;

  constructor(content: Buffer = Buffer.alloc(0)) {
    const path = toBuffer(joinPath(temporaryDirectory(), `lamina-${newId('m')}.file`));
    this.descriptor = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    for (let at = 0; at < content.length;) at += writeSync(this.descriptor, content, at, content.length - at, at);
  }

  /** What another process has written to it. */
  text(): string {
    const buffer = Buffer.alloc(1 << 12);
    return buffer.toString('latin1', 0, readSync(this.descriptor, buffer, 0, buffer.length, 0));
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
