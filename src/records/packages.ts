import { bytesOf, linesOf, mergeKeyed, putOnce, textOf } from './keyed.js';
import type { MergeRecord, Records } from './keyed.js';
import { Clash, OtherFormat, quoted } from './outcome.js';
import type { Versions } from './outcome.js';
import { fieldsOf, mergeStanzas, pickField, stanzaText, stanzasOf, textOfStanzas, valueOf } from './stanzas.js';
import type { Fields } from './stanzas.js';

/** dpkg's status: a package of each architecture is a record. @throws Clash */
export function mergeDpkgStatus(versions: Versions): Uint8Array {
  const merged = mergeStanzas(versions, dpkgKey, mergePackage);
  checkArchitectures(merged);
  return textOfStanzas(merged);
}

function dpkgKey(fields: Fields): string | undefined {
  const name = valueOf(fields, 'Package');
  return name === '' ? undefined : `${name}:${valueOf(fields, 'Architecture')}`;
}

/** Unpacked at least. */
export const isInstalled = (fields: Fields) => !/ (?:config-files|not-installed)$/.test(valueOf(fields, 'Status'));

const mergePackage: MergeRecord = (key, base, ours, theirs) => {
  const name = quoted(key.replace(/:.*/s, ''));
  // Its files are gone from the container, and stay so.
  if (ours === undefined) return undefined;
  const o = fieldsOf(ours);
  if (!isInstalled(o)) return ours;
  const [b, t] = [base === undefined ? undefined : fieldsOf(base), theirs === undefined ? undefined : fieldsOf(theirs)];
  if (t === undefined || (!isInstalled(t) && (b === undefined || isInstalled(b))))
    throw new Clash(`package ${name} was removed by the update and changed by the container`);
  const [was, own, other] = [b && valueOf(b, 'Version'), valueOf(o, 'Version'), valueOf(t, 'Version')];
  if (own !== other && own !== was && other !== was)
    throw new Clash(`package ${name} has version ${quoted(own)} in the container and ${quoted(other)} in the update`);
  // A version's fields belong together. The state is the container's own wish, such as to hold it.
  const status = pickField('Status', [b, o, t], () => o.get('Status'));
  const fields = new Map(other === was ? o : t);
  if (status !== undefined) fields.set('Status', status);
  return stanzaText(fields);
};

/** Two of one name are possible only where both say so. @throws Clash */
function checkArchitectures(merged: Records): void {
  const known = new Map<string, boolean>();
  for (const [key, stanza] of merged) {
    const name = key.replace(/:.*/s, '');
    const fields = fieldsOf(stanza);
    if (!isInstalled(fields)) continue;
    const isSame = valueOf(fields, 'Multi-Arch') === 'same';
    const before = known.get(name);
    if (before !== undefined && !(before && isSame))
      throw new Clash(`package ${quoted(name)} would be installed for two architectures`);
    known.set(name, isSame);
  }
}

/** The version of an installed package in dpkg's status; undefined: it is not installed. @throws OtherFormat */
export function dpkgVersion(status: Uint8Array, name: string): string | undefined {
  for (const stanza of stanzasOf(textOf(status))) {
    if (!stanza.startsWith(`Package: ${name}\n`)) continue;
    const fields = fieldsOf(stanza);
    if (isInstalled(fields)) return valueOf(fields, 'Version');
  }
  return undefined;
}

/** apk's installed: records of lines, of which `P:` is the name and `V:` the version. @throws Clash */
export function mergeApkInstalled({ base, ours, theirs }: Versions): Uint8Array {
  const [b, o, t] = [base, ours, theirs].map((version) => apkRecords(textOf(version)));
  if (b === undefined || o === undefined || t === undefined) throw new Error('internal error: three versions');
  const merged = mergeKeyed(b, o, t, mergeApkPackage);
  return bytesOf([...merged.values()].map((record) => `${record}\n\n`).join(''));
}

function apkRecords(text: string): Records {
  const records = new Map<string, string>();
  for (const record of stanzasOf(text)) {
    const name = apkField(record, 'P');
    if (name === undefined) throw new OtherFormat('a record has no name');
    putOnce(records, name, record);
  }
  return records;
}

const apkField = (record: string, letter: string): string | undefined =>
  linesOf(record)
    .find((line) => line.startsWith(`${letter}:`))
    ?.slice(2);

const mergeApkPackage: MergeRecord = (name, base, ours, theirs) => {
  if (ours === undefined) return undefined;
  if (theirs === undefined)
    throw new Clash(`package ${quoted(name)} was removed by the update and changed by the container`);
  const [was, own, other] = [base, ours, theirs].map((record) => record && apkField(record, 'V'));
  if (own === other || own === was) return theirs;
  if (other === was) return ours;
  throw new Clash(
    `package ${quoted(name)} has version ${quoted(own ?? '')} in the container and ${quoted(other ?? '')} in the update`,
  );
};
