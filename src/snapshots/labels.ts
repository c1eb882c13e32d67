import { usage } from '../base/errors.js';
import type { Snapshot } from '../manifest/index.js';

type Labels = Snapshot['labels'];

/**
 * Names the container whose root an active snapshot shows. containerd passes on labels with this prefix only
 * (core/snapshots/snapshotter.go, FilterInheritedLabels).
 */
export const containerLabel = 'containerd.io/snapshot/dev.lamina.container';

/** Of a snapshot that a layer is to be unpacked into: the chain ID that it will have (LabelSnapshotRef). */
const targetLabel = 'containerd.io/snapshot.ref';

/**
 * Whether a layer of an image is to be unpacked into a snapshot: containerd sets the label, and its clients name the
 * key `extract-UNIQUE CHAINID` (UnpackKeyFormat).
 */
export function isUnpacking(key: string, labels: Labels): boolean {
  return targetOf(labels) !== undefined || /(?:^|\/)extract-\S* \S+$/.test(key);
}

/** Of a key and its value together (api/services/snapshots/v1/snapshots.proto). */
const longestLabel = 4096;

/** containerd sets few; this bounds what one snapshot adds to the manifest. */
const mostLabels = 256;

/** Of a name or key: containerd's own are much shorter. */
const longestName = 4096;

/** What no text that gRPC accepts from containerd has, and what would confuse those who read it. */
const unusable = /[\p{Cc}\p{Cs}]/u;

/** @throws LaminaError usage: too long, or with control characters or half of a surrogate pair */
export function checkName(name: string): void {
  const wrong = (what: string) =>
    usage(`${JSON.stringify(name.slice(0, 80))} cannot name a snapshot: ${what}`, { code: 'BAD_NAME' });
  if (name.length > longestName) throw wrong(`it is longer than ${longestName} characters`);
  if (unusable.test(name)) throw wrong('it has a control character, or is not Unicode');
}

export function targetOf(labels: Labels): string | undefined {
  return labels[targetLabel];
}

/** @throws LaminaError usage: too many, too long, or with control characters or half of a surrogate pair */
export function checkLabels(labels: Labels): void {
  const entries = Object.entries(labels);
  const wrong = (what: string) => usage(`the labels of the snapshot are not usable: ${what}`, { code: 'BAD_LABEL' });
  if (entries.length > mostLabels) throw wrong(`there are ${entries.length}, and at most ${mostLabels} are allowed`);
  for (const [key, value] of entries) {
    const shown = JSON.stringify(key.slice(0, 80));
    if (key.length + value.length > longestLabel)
      throw wrong(`${shown} and its value are longer than ${longestLabel} characters`);
    if (key === '__proto__' || unusable.test(`${key} ${value}`))
      throw wrong(`${shown} has a control character, is not Unicode, or is reserved`);
  }
}
