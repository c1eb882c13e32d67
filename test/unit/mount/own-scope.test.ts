import { describe, expect, it } from 'vitest';
import { ownScopeFor, scopeWords } from '../../../src/mount/own-scope.js';

const on = (cgroup: string, more: { isBooted?: boolean; isRoot?: boolean } = {}) =>
  ownScopeFor({ isBooted: true, isRoot: true, cgroup, ...more });

describe('the scope of a mount', () => {
  it.each([
    ['a service', '0::/system.slice/app.service\n', { ofUser: false, before: 'app.service' }],
    ['a part of a service', '0::/system.slice/app.service/part\n', { ofUser: false, before: 'app.service' }],
    ['a session', '0::/user.slice/user-0.slice/session-3.scope\n', { ofUser: false, before: 'session-3.scope' }],
    [
      "a service of a user's systemd",
      '0::/user.slice/user-0.slice/user@0.service/app.slice/app.service\n',
      { ofUser: true, before: 'app.service' },
    ],
    [
      'a service, where control groups are of both versions',
      '8:pids:/other.mount\n1:name=systemd:/system.slice/app.service\n0::/\n',
      { ofUser: false, before: 'app.service' },
    ],
  ])('is its own in %s', (_, cgroup, scope) => {
    expect(on(cgroup)).toEqual(scope);
  });

  it.each([
    ['a mount unit', '0::/system.slice/mnt-web.mount\n'],
    ['another scope', '0::/system.slice/lamina-mount-m-1.scope\n'],
    ['the first process', '0::/init.scope\n'],
    ['no unit', '0::/\n'],
    ['no control groups', ''],
  ])('is not its own in %s', (_, cgroup) => {
    expect(on(cgroup)).toBeUndefined();
  });

  it("is of the user's systemd for a user, who cannot order it by a unit of the machine's", () => {
    const session = '0::/user.slice/user-1000.slice/session-3.scope\n';
    expect(on(session, { isRoot: false })).toEqual({ ofUser: true, before: undefined });
  });

  it('is not its own where systemd does not run the machine', () => {
    expect(on('0::/system.slice/app.service\n', { isBooted: false })).toBeUndefined();
  });

  it('ends after what uses the mount', () => {
    expect(scopeWords({ ofUser: true, before: 'app.service' }, 'lamina-mount-1').join(' ')).toBe(
      'systemd-run --user --scope --quiet --collect --unit=lamina-mount-1 --property=Before=app.service --',
    );
    expect(scopeWords({ ofUser: false, before: 'app@a\\x2db.service' }, 'm')).toContain(
      '--property=Before=app@a\\\\x2db.service',
    );
  });
});
