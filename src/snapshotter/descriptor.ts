/*
 * The service containerd.services.snapshots.v1.Snapshots, written down from its documented interface
 * (containerd, api/services/snapshots/v1/snapshots.proto and api/types/mount.proto), in protobufjs's notation: names
 * and numbers of fields are what is sent.
 */

type FieldType = string | { readonly repeated: string } | { readonly map: string };

/** A message, its fields numbered from 1 in their order. */
function message(fields: Readonly<Record<string, FieldType>>) {
  const numbered = Object.entries(fields).map(([name, type], i) => {
    const id = i + 1;
    if (typeof type === 'string') return [name, { type, id }] as const;
    if ('repeated' in type) return [name, { rule: 'repeated', type: type.repeated, id }] as const;
    return [name, { keyType: 'string', type: type.map, id }] as const;
  });
  return { fields: Object.fromEntries(numbered) };
}

function space(path: string, content: object): object {
  return path
    .split('.')
    .reverse()
    .reduce<object>((nested, name) => ({ nested: { [name]: nested } }), { nested: content });
}

const mount = '.containerd.types.Mount';
const empty = '.google.protobuf.Empty';
const timestamp = '.google.protobuf.Timestamp';
const labels = { map: 'string' };
const named = message({ snapshotter: 'string', key: 'string' });
const created = message({ snapshotter: 'string', key: 'string', parent: 'string', labels });
const mounts = message({ mounts: { repeated: mount } });

const snapshots = {
  PrepareSnapshotRequest: created,
  PrepareSnapshotResponse: mounts,
  ViewSnapshotRequest: created,
  ViewSnapshotResponse: mounts,
  MountsRequest: named,
  MountsResponse: mounts,
  RemoveSnapshotRequest: named,
  CommitSnapshotRequest: message({ snapshotter: 'string', name: 'string', key: 'string', labels, parent: 'string' }),
  StatSnapshotRequest: named,
  StatSnapshotResponse: message({ info: 'Info' }),
  UpdateSnapshotRequest: message({ snapshotter: 'string', info: 'Info', update_mask: '.google.protobuf.FieldMask' }),
  UpdateSnapshotResponse: message({ info: 'Info' }),
  ListSnapshotsRequest: message({ snapshotter: 'string', filters: { repeated: 'string' } }),
  ListSnapshotsResponse: message({ info: { repeated: 'Info' } }),
  UsageRequest: named,
  UsageResponse: message({ size: 'int64', inodes: 'int64' }),
  CleanupRequest: message({ snapshotter: 'string' }),
  Kind: { values: { UNKNOWN: 0, VIEW: 1, ACTIVE: 2, COMMITTED: 3 } },
  Info: message({
    name: 'string',
    parent: 'string',
    kind: 'Kind',
    created_at: timestamp,
    updated_at: timestamp,
    labels,
  }),
  Snapshots: {
    methods: {
      Prepare: { requestType: 'PrepareSnapshotRequest', responseType: 'PrepareSnapshotResponse' },
      View: { requestType: 'ViewSnapshotRequest', responseType: 'ViewSnapshotResponse' },
      Mounts: { requestType: 'MountsRequest', responseType: 'MountsResponse' },
      Commit: { requestType: 'CommitSnapshotRequest', responseType: empty },
      Remove: { requestType: 'RemoveSnapshotRequest', responseType: empty },
      Stat: { requestType: 'StatSnapshotRequest', responseType: 'StatSnapshotResponse' },
      Update: { requestType: 'UpdateSnapshotRequest', responseType: 'UpdateSnapshotResponse' },
      List: { requestType: 'ListSnapshotsRequest', responseType: 'ListSnapshotsResponse', responseStream: true },
      Usage: { requestType: 'UsageRequest', responseType: 'UsageResponse' },
      Cleanup: { requestType: 'CleanupRequest', responseType: empty },
    },
  },
};

const spaces = [
  space('containerd.services.snapshots.v1', snapshots),
  space('containerd.types', {
    Mount: message({ type: 'string', source: 'string', target: 'string', options: { repeated: 'string' } }),
  }),
  space('google.protobuf', {
    Empty: message({}),
    FieldMask: message({ paths: { repeated: 'string' } }),
    Timestamp: message({ seconds: 'int64', nanos: 'int32' }),
  }),
];

type Space = { readonly nested?: Readonly<Record<string, Space>> };

/** Namespaces of the same name become one. */
function joined(all: readonly Space[]): Space {
  const names = new Set(all.flatMap(({ nested = {} }) => Object.keys(nested)));
  const nested = [...names].map((name) => {
    const [first, ...others] = all.flatMap(({ nested: each = {} }) => each[name] ?? []);
    return [name, first !== undefined && others.length === 0 ? first : joined([first ?? {}, ...others])] as const;
  });
  return { nested: Object.fromEntries(nested) };
}

export const serviceName = 'containerd.services.snapshots.v1.Snapshots';

/** For `fromJSON` of @grpc/proto-loader. */
export const descriptor: object = joined(spaces);
