import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { quadletText, serviceText, unitRuntimes } from '../../../src/runtime/index.js';
import type { UnitRequest, UnitRuntime } from '../../../src/runtime/index.js';

const programs: Readonly<Record<UnitRuntime, string>> = {
  run: '/usr/bin/lamina',
  podman: '/usr/bin/podman',
  nspawn: '/usr/bin/systemd-nspawn',
  runc: '/usr/sbin/runc',
  crun: '/usr/bin/crun',
};

const request = (more: Partial<UnitRequest> = {}): UnitRequest => ({
  container: 'web',
  store: '/var/lib/lamina',
  lamina: ['/usr/bin/lamina'],
  program: '/usr/bin/podman',
  command: ['nginx', '-g', 'daemon off;'],
  user: undefined,
  environment: {},
  workingDirectory: undefined,
  network: false,
  suid: false,
  stopSignal: undefined,
  ...more,
});
const all: Partial<UnitRequest> = {
  ...{ user: 'app', environment: { MODE: 'a b' }, workingDirectory: '/srv', network: true, suid: true },
  stopSignal: 'SIGQUIT',
};

describe('the unit of a container', () => {
  it.each(unitRuntimes)('for %s is this text', async (runtime) => {
    const plain = serviceText(runtime, request({ program: programs[runtime] }));
    const asked = serviceText(runtime, request({ program: programs[runtime], ...all }));
    await expect(plain).toMatchFileSnapshot(`units/${runtime}.service`);
    await expect(asked).toMatchFileSnapshot(`units/${runtime}-all.service`);
  });

  it('for Quadlet is this text', async () => {
    await expect(quadletText(request())).toMatchFileSnapshot('units/web.container');
    await expect(quadletText(request(all))).toMatchFileSnapshot('units/web-all.container');
  });

  it('has in a Quadlet file only keys that podman 4.4 reads', () => {
    const known = ['ContainerName', 'Image', 'PodmanArgs', 'Exec', 'Environment', 'Network', 'NoNewPrivileges'];
    const [, section = ''] = /^\[Container\]\n(.*?)^\[/ms.exec(quadletText(request(all))) ?? [];
    const keys = section.split('\n').flatMap((line) => (line === '' ? [] : [line.split('=')[0]]));
    expect(keys.filter((key) => !known.includes(key ?? ''))).toEqual([]);
    expect(keys.length).toBeGreaterThan(7);
  });

  it('boots a root that has no command by systemd-nspawn', () => {
    const text = serviceText('nspawn', request({ command: [] }));
    expect(text).toMatch(/^Type=notify$/m);
    expect(text).toMatch(/^ExecStart=.* --boot$/m);
    expect(() => serviceText('nspawn', request({ user: '7:8' }))).toThrow(/name of a user/);
    for (const container of ['web.', 'a..b', 'a-.b', 'web-'])
      expect(() => serviceText('nspawn', request({ container }))).toThrow(/is not a host name/);
    expect(serviceText('nspawn', request({ container: 'a_1-b.c' }))).toContain('--machine=a_1-b.c ');
  });

  it('ends the command by the signal that its image asks for, where the runtime passes it on', () => {
    const stopSignal = 'SIGINT';
    for (const runtime of ['run', 'runc', 'crun'] as const) {
      expect(serviceText(runtime, request({ stopSignal }))).toContain('KillSignal=SIGINT\nSuccessExitStatus=143 130\n');
      const passed = serviceText(runtime, request({ stopSignal: 'SIGWINCH' }));
      expect(passed).toContain('\nSuccessExitStatus=143\n');
      expect(passed).not.toContain('KillSignal');
    }
    expect(serviceText('podman', request({ stopSignal: 'SIGWINCH' }))).toContain(' --stop-signal=SIGWINCH ');
    expect(quadletText(request({ stopSignal }))).toContain('\nPodmanArgs=--stop-signal=SIGINT\n');
  });

  it('keeps words as they are: quotes, specifiers, variables, lines', () => {
    const command = ['a b', '"\'', '%h', '$HOME ${X}', '\\n', 'two\nlines', '', 'ä'];
    const line = /^ExecStart=(.*)$/m.exec(serviceText('run', request({ command })))?.[1];
    expect(line).toBe('/usr/bin/lamina run web -- "a b" "\\"\'" %%h "$$HOME $${X}" "\\\\n" "two\\nlines" "" "ä"');
    const store = serviceText('run', request({ store: '/srv/a $b%' }));
    expect(store).toContain('RequiresMountsFor="/srv/a $b%%"\n');
    expect(store).toContain('Environment="LAMINA_STORE=/srv/a $b%%"\n');
    const mode = quadletText(request({ environment: { MODE: '$x %h "' } }));
    expect(mode).toContain('Environment="MODE=$$x %%h \\""\n');
    const program = serviceText('podman', request({ program: '/opt/100%/podman' }));
    expect(program).toContain('AssertFileIsExecutable=/opt/100%%/podman\n');
  });

  it.each(['\x1b[31m', '\x9b31m', '\u202e', '\udc80'])(
    'has no word that upsets a terminal or is not UTF-8: %j',
    (word) => {
      expect(() => serviceText('run', request({ command: [word] }))).toThrow(/cannot be written into a unit/);
      expect(() => quadletText(request({ environment: { A: word } }))).toThrow(/cannot be written into a unit/);
    },
  );

  it('holds nothing that systemd or podman would read otherwise', () => {
    expect(() => serviceText('run', request({ store: '/srv/a\nb' }))).toThrow(/cannot be written into a unit/);
    expect(() => serviceText('podman', request({ program: '/a\nExecStart=/b' }))).toThrow(/cannot be written/);
    for (const word of ['', ';']) {
      expect(() => quadletText(request({ command: ['sh', word, 'x'] }))).toThrow(/Quadlet file cannot hold/);
      expect(serviceText('podman', request({ command: ['sh', word] }))).toContain(` sh "${word}"\n`);
    }
  });

  const missing = spawnSync('systemd-analyze', ['--version']).status === 0 ? '' : ' (needs systemd-analyze)';
  it.skipIf(missing !== '').each(unitRuntimes)(`for %s is a unit to systemd-analyze verify${missing}`, (runtime) => {
    const place = mkdtempSync(join(tmpdir(), 'lamina-unit-'));
    try {
      // It wants every program to be there.
      const text = serviceText(runtime, request({ lamina: ['/bin/true'], program: '/bin/true', ...all }));
      const file = join(place, 'lamina-web.service');
      writeFileSync(file, text);
      const verify = () => spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      expect({ status: verify().status, said: verify().stderr }).toEqual({ status: 0, said: '' });
      writeFileSync(file, text.replace('Type=', 'Typo='));
      expect(verify().stderr).toContain("'Typo'");
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });
});
