import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { parseConfigEdit } from '../../../src/image/config-edits.js';
import type { RunConfig } from '../../../src/image/config-edits.js';
import { isUnchanged, makeConfig } from '../../../src/image/out/config.js';
import type { ConfigParts } from '../../../src/image/out/config.js';
import { parseDestination } from '../../../src/image/out/destination.js';

const absolute = (path: string) => (path.startsWith('/') ? path : `/here/${path}`) as BytePath;
const parsed = (text: string) => parseDestination(text, absolute);

describe('a destination', () => {
  it.each([
    ['a.tar', { kind: 'tar', path: '/here/a.tar', compression: 'none' }],
    ['/b/a.tar.gz', { kind: 'tar', path: '/b/a.tar.gz', compression: 'gzip' }],
    ['a.tgz', { kind: 'tar', path: '/here/a.tgz', compression: 'gzip' }],
    ['a.tar.zst', { kind: 'tar', path: '/here/a.tar.zst', compression: 'zstd' }],
    ['C:a.tar', { kind: 'tar', path: '/here/C:a.tar', compression: 'none' }],
    ['oci:dir', { kind: 'oci', path: '/here/dir', tag: 'latest' }],
    ['oci:/dir:a/b:1.0', { kind: 'oci', path: '/dir', tag: 'a/b:1.0' }],
    ['oci-archive:f.tar:v1', { kind: 'oci-archive', path: '/here/f.tar', tag: 'v1' }],
    ['docker-archive:f.tar', { kind: 'docker-archive', path: '/here/f.tar', reference: undefined }],
    ['docker-archive:f.tar:a/b:1', { kind: 'docker-archive', path: '/here/f.tar', reference: 'a/b:1' }],
    ['docker://reg:5000/a:1', { kind: 'docker', reference: '//reg:5000/a:1' }],
    ['containers-storage:a:1', { kind: 'containers-storage', reference: 'a:1' }],
  ])('%s is known', (text, wanted) => {
    expect(parsed(text)).toEqual(wanted);
  });

  it.each([
    '',
    'a',
    '.tar',
    'dir/.tar',
    'dir:x',
    'oci:',
    'oci::x',
    'oci:x:',
    'oci:x:-a',
    'docker:x',
    'docker://',
    'containers-storage:',
  ])("'%s' is refused as wrong usage", (text) => {
    expect(() => parsed(text)).toThrow(expect.objectContaining({ kind: 'usage' }));
  });
});

describe('a setting of an image', () => {
  const before: RunConfig = { Env: ['A=1', 'B=2'], Labels: { x: 'y' }, Cmd: ['sh'], Other: true };
  it.each([
    ['cmd=a "b c" d\\ e \'f g\'h', { ...before, Cmd: ['a', 'b c', 'd e', 'f gh'] }],
    ['cmd=["a", "b c"]', { ...before, Cmd: ['a', 'b c'] }],
    ['cmd=""', { ...before, Cmd: [''] }],
    ['cmd=', { Env: before['Env'], Labels: before['Labels'], Other: true }],
    ['entrypoint=/bin/x', { ...before, Entrypoint: ['/bin/x'] }],
    ['env=A=3', { ...before, Env: ['A=3', 'B=2'] }],
    ['env=C=x=y', { ...before, Env: ['A=1', 'B=2', 'C=x=y'] }],
    ['env=A-', { ...before, Env: ['B=2'] }],
    ['env=AA=', { ...before, Env: ['A=1', 'B=2', 'AA='] }],
    ['label=z=1=2', { ...before, Labels: { x: 'y', z: '1=2' } }],
    ['label=x-', { Env: before['Env'], Cmd: ['sh'], Other: true }],
    ['port=80', { ...before, ExposedPorts: { '80/tcp': {} } }],
    ['port=53/udp', { ...before, ExposedPorts: { '53/udp': {} } }],
    ['volume=/data', { ...before, Volumes: { '/data': {} } }],
    ['user=1:2', { ...before, User: '1:2' }],
    ['workdir=/srv', { ...before, WorkingDir: '/srv' }],
    ['stopsignal=SIGINT', { ...before, StopSignal: 'SIGINT' }],
  ])('%s is applied', (text, wanted) => {
    expect(parseConfigEdit(text)(before)).toEqual(wanted);
    expect(before).toEqual({ Env: ['A=1', 'B=2'], Labels: { x: 'y' }, Cmd: ['sh'], Other: true });
  });

  it.each([
    '',
    'cmd',
    'colour=red',
    'toString=x',
    'env=A',
    'env==1',
    'label=x',
    'port=http',
    'port=0',
    'port=65536',
    'port=90-80',
    'volume=data',
    "cmd='a",
    'cmd=[1]',
  ])('%s is refused as wrong usage', (text) => {
    expect(() => parseConfigEdit(text)).toThrow(expect.objectContaining({ kind: 'usage' }));
  });
});

describe('the configuration of an image', () => {
  const from = {
    architecture: 'arm64',
    os: 'linux',
    'x.vendor': 1,
    config: { Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: ['a', 'b'] },
    history: [{ created_by: 'one' }, { created_by: 'env', empty_layer: true }, { created_by: 'two' }],
  };
  const added = { created: '2026-01-01T00:00:00.000Z', createdBy: 'lamina update up', comment: undefined };
  const parts: ConfigParts = {
    from,
    layers: [
      { diffId: 'a', added: undefined },
      { diffId: 'b', added: undefined },
    ],
    edits: [],
    created: added.created,
    platform: { os: 'linux', architecture: 'amd64' },
  };

  it('stays as it is where nothing was added', () => {
    expect(isUnchanged(parts)).toBe(true);
    expect(isUnchanged({ ...parts, edits: [(config) => config] })).toBe(false);
    expect(isUnchanged({ ...parts, layers: [...parts.layers, { diffId: 'c', added }] })).toBe(false);
    expect(isUnchanged({ ...parts, layers: [{ diffId: 'z', added: undefined }] })).toBe(false);
  });

  it('keeps what it came with, and has an entry of history for each layer', () => {
    const made = makeConfig({ ...parts, layers: [...parts.layers, { diffId: 'c', added }] });
    expect(made).toEqual({
      ...from,
      created: added.created,
      rootfs: { type: 'layers', diff_ids: ['a', 'b', 'c'] },
      history: [...from.history, { created: added.created, created_by: 'lamina update up' }],
    });
    const flat = makeConfig({ ...parts, layers: [{ diffId: 'c', added }] });
    expect(flat['history']).toEqual([from.history[1], { created: added.created, created_by: 'lamina update up' }]);
  });

  it('has as many entries with a layer as layers, also of an image without a history', () => {
    const { history: _, ...bare } = from;
    const made = makeConfig({ ...parts, from: bare, layers: [...parts.layers, { diffId: 'c', added }] });
    expect((made['history'] as unknown[]).length).toBe(3);
    expect(makeConfig({ ...parts, from: undefined })['architecture']).toBe('amd64');
  });
});
