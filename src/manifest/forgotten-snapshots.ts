import type { Manifest, Snapshot, SnapshotId } from './schema.js';

/*
 * containerd calls a snapshot NAMESPACE/NUMBER/KEY (core/metadata/snapshot.go, createKey), and counts the snapshots of
 * a namespace in the order in which it makes them. If its files are lost while the store is kept, it counts from 1
 * again, and comes to names that the store has: it has forgotten the snapshots that have these. Its garbage collection
 * removes what it does not know, but not before it has removed a snapshot that it knows; until then no image whose
 * layers have such names could be unpacked.
 */

/**
 * Whether containerd has forgotten a snapshot: another one of the namespace has its number or a lower one, and is
 * younger. (It has the same where containerd gave up a call that was done.) Only then does containerd use the name a
 * second time.
 */
export function isForgotten({ containerd }: Manifest, { name, created }: Snapshot): boolean {
  const its = placeOf(name);
  if (its === undefined) return false;
  return Object.values(containerd).some((other) => {
    const place = placeOf(other.name);
    return place?.namespace === its.namespace && place.number <= its.number && other.created > created;
  });
}

/** The name by which the store keeps a snapshot that containerd has forgotten. containerd makes none such. */
export const forgottenName = (id: SnapshotId): string => `lamina/forgotten/${id}`;

function placeOf(name: string): { readonly namespace: string; readonly number: number } | undefined {
  const [, namespace, number] = /^([^/]+)\/(\d{1,15})\//.exec(name) ?? [];
  return namespace === undefined ? undefined : { namespace, number: Number(number) };
}
