import { isSystemError } from '../../base/errors.js';
import { bytesOf, callAsync, callSync } from '../addon.js';
import type { Call, Target } from '../addon.js';
import { asBuffer, splitNames } from './replies.js';

/* Extended attributes, xattr(7). */

const getCall = (target: Target, name: string): Call => ({
  operation: 'getXattr',
  subject: { syscall: 'getxattr', name, path: target },
  args: [bytesOf(target), bytesOf(name)],
});

/** The attribute's value, undefined where there is no such attribute. Names are byte strings. */
export async function getXattr(target: Target, name: string): Promise<Buffer | undefined> {
  try {
    return asBuffer(await callAsync(getCall(target, name)));
  } catch (error) {
    if (isSystemError(error, 'ENODATA')) return undefined;
    throw error;
  }
}

/** As `getXattr`. */
export function getXattrSync(target: Target, name: string): Buffer | undefined {
  try {
    return asBuffer(callSync(getCall(target, name)));
  } catch (error) {
    if (isSystemError(error, 'ENODATA')) return undefined;
    throw error;
  }
}

/** Fails with EEXIST where the attribute exists (`create`) or ENODATA where it does not (`replace`). */
export type SetXattrMode = 'create' | 'replace' | 'either';
const xattrFlags: Record<SetXattrMode, number> = { either: 0, create: 1, replace: 2 };

const setCall = (target: Target, name: string, value: Buffer, mode: SetXattrMode): Call => ({
  operation: 'setXattr',
  subject: { syscall: 'setxattr', name, path: target },
  args: [bytesOf(target), bytesOf(name), value, xattrFlags[mode]],
});

export async function setXattr(
  target: Target,
  name: string,
  value: Buffer,
  mode: SetXattrMode = 'either',
): Promise<void> {
  await callAsync(setCall(target, name, value, mode));
}

export function setXattrSync(target: Target, name: string, value: Buffer, mode: SetXattrMode = 'either'): void {
  callSync(setCall(target, name, value, mode));
}

const removeCall = (target: Target, name: string): Call => ({
  operation: 'removeXattr',
  subject: { syscall: 'removexattr', name, path: target },
  args: [bytesOf(target), bytesOf(name)],
});

/** Fails with ENODATA where there is no such attribute. */
export async function removeXattr(target: Target, name: string): Promise<void> {
  await callAsync(removeCall(target, name));
}

export function removeXattrSync(target: Target, name: string): void {
  callSync(removeCall(target, name));
}

const listCall = (target: Target): Call => ({
  operation: 'listXattrs',
  subject: { syscall: 'listxattr', path: target },
  args: [bytesOf(target)],
});

/** Names as byte strings, in the file system's order. Fails with EOPNOTSUPP where the file system has no attributes. */
export async function listXattrs(target: Target): Promise<string[]> {
  return splitNames(asBuffer(await callAsync(listCall(target))));
}

export function listXattrsSync(target: Target): string[] {
  return splitNames(asBuffer(callSync(listCall(target))));
}

const readCall = (target: Target): Call => ({
  operation: 'readXattrs',
  subject: { syscall: 'listxattr', path: target },
  args: [bytesOf(target)],
});

/** What the addon gives of all attributes of an entry (native/addon/xattr_set.cc). */
export function unpackXattrs(packed: Buffer): Map<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  for (let at = 0; at < packed.length;) {
    const name = at + 8;
    const value = name + packed.readUInt16LE(at);
    const end = value + packed.readUInt32LE(at + 4);
    attributes.set(packed.toString('latin1', name, value), packed.subarray(value, end));
    at = end;
  }
  return attributes;
}

/** All attributes in one call, by name in byte order; none where the file system has no attributes. */
export async function readXattrs(target: Target): Promise<Map<string, Buffer>> {
  return unpackXattrs(asBuffer(await callAsync(readCall(target))));
}

export function readXattrsSync(target: Target): Map<string, Buffer> {
  return unpackXattrs(asBuffer(callSync(readCall(target))));
}
