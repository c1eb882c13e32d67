import { must } from '../base/errors.js';
import { baseData, nodesData } from '../data/index.js';
import type { BaseData, NodeData } from '../data/index.js';
import { parseConfig } from '../image/index.js';
import type { ImageConfig } from '../image/index.js';
import { readImageConfig } from '../store/index.js';
import type { Store } from '../store/index.js';

/** How an image says that it is run; what it does not say is null, or empty. */
export interface ImageSettings {
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
  readonly env: readonly string[];
  readonly workdir: string | null;
  readonly user: string | null;
  readonly stopSignal: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Such as `80/tcp`. */
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
}

export interface BaseShowData extends BaseData {
  /** Its layers, newest first. */
  readonly nodes: readonly NodeData[];
  /** Null: it was not made of an image. */
  readonly config: ImageSettings | null;
}

/** @throws LaminaError notFound: no such base; damaged: the configuration of its image is missing or was changed */
export async function baseShow(store: Store, name: string): Promise<BaseShowData> {
  const manifest = await store.read();
  const data = baseData(manifest, name);
  const { image } = data;
  const nodes = new Map(nodesData(manifest).map((node) => [node.id, node]));
  const config =
    image === null ? null : parseConfig(readImageConfig(store.paths, image.configDigest), image.reference).config;
  return {
    ...data,
    nodes: data.layers.map((id) => must(nodes.get(id), `node ${id}`)),
    config: image === null ? null : settingsOf(config),
  };
}

/** Images state what they leave open as empty, as null, or not at all. */
function settingsOf(config: ImageConfig['config']): ImageSettings {
  const words = (list: readonly string[] | null | undefined) => (list?.length ? list : null);
  return {
    entrypoint: words(config?.Entrypoint),
    cmd: words(config?.Cmd),
    env: config?.Env ?? [],
    workdir: config?.WorkingDir || null,
    user: config?.User || null,
    stopSignal: config?.StopSignal || null,
    labels: config?.Labels ?? {},
    ports: Object.keys(config?.ExposedPorts ?? {}).sort(),
    volumes: Object.keys(config?.Volumes ?? {}).sort(),
  };
}
