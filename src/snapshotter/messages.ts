import type { SnapshotData } from '../app/snapshots.js';

/** The messages as @grpc/proto-loader gives and takes them, with `definitionOptions`. */

export interface CreateRequest {
  readonly key: string;
  readonly parent: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface KeyRequest {
  readonly key: string;
}

export interface CommitRequest extends CreateRequest {
  readonly name: string;
}

export interface UpdateRequest {
  readonly info: Info | null;
  readonly update_mask: { readonly paths: readonly string[] } | null;
}

export interface ListRequest {
  readonly filters: readonly string[];
}

interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

export interface Info {
  readonly name: string;
  readonly parent: string;
  readonly kind: number;
  readonly created_at: Timestamp | null;
  readonly updated_at: Timestamp | null;
  readonly labels: Readonly<Record<string, string>>;
}

const kinds = { view: 1, active: 2, committed: 3 } as const;

export function infoOf({ name, parent, kind, labels, created, updated }: SnapshotData): Info {
  return {
    ...{ name, parent, kind: kinds[kind], labels },
    created_at: timestampOf(created),
    updated_at: timestampOf(updated),
  };
}

function timestampOf(time: string): Timestamp {
  const milliseconds = Date.parse(time);
  return { seconds: Math.floor(milliseconds / 1000), nanos: (milliseconds % 1000) * 1_000_000 };
}
