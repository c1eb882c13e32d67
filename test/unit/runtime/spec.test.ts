import { describe, expect, it } from 'vitest';
import { runtimeSpec } from '../../../src/runtime/spec.js';
import type { RuntimeProcess } from '../../../src/runtime/spec.js';

interface Spec {
  readonly process: { readonly env: string[]; readonly capabilities: Readonly<Record<string, string[]>> };
  readonly linux: { readonly resources: object };
}

const specOf = (more: Partial<RuntimeProcess> = {}) =>
  runtimeSpec({
    command: ['app'],
    user: { uid: 0, gid: 0, groups: [], name: 'root', home: '/root' },
    environment: {},
    workingDirectory: '/',
    hostName: 'web',
    terminal: false,
    network: false,
    hostFiles: [],
    readOnly: false,
    mayGainPrivileges: false,
    capabilities: ['CHOWN', 'MKNOD'],
    ...more,
  }) as Spec;

describe('config.json of a bundle', () => {
  it('allows no device nodes but those of every container, whatever its root may make', () => {
    expect(specOf().linux.resources).toEqual({ devices: [{ allow: false, access: 'rwm' }] });
  });

  it('gives another user than root no capabilities that it has not gained', () => {
    const user = { uid: 7, gid: 7, groups: [], name: 'app', home: '/' };
    const both = ['CAP_CHOWN', 'CAP_MKNOD'];
    const none = { inheritable: [], ambient: [] };
    expect(specOf().process.capabilities).toEqual({ bounding: both, effective: both, permitted: both, ...none });
    expect(specOf({ user }).process.capabilities).toEqual({ bounding: both, effective: [], permitted: [], ...none });
  });

  it('has the variables that are given over its own, of any name', () => {
    const environment = Object.fromEntries([
      ['PATH', '/bin'],
      ['__proto__', 'x'],
    ]);
    const { env } = specOf({ environment }).process;
    expect(env).toEqual(expect.arrayContaining(['PATH=/bin', '__proto__=x', 'HOME=/root']));
    expect(env.filter((each) => each.startsWith('PATH='))).toHaveLength(1);
  });
});
