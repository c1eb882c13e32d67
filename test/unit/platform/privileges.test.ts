import { describe, expect, it } from 'vitest';
import { hasMachinePrivileges } from '../../../src/platform/privileges.js';

const status = (effective: string) =>
  `Name:\tlamina\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\nCapBnd:\t000001ffffffffff\n`;
const all = '000001ffffffffff';

describe('root of the machine', () => {
  it('has CAP_SYS_ADMIN in no user namespace, whatever users it sees', () => {
    expect(hasMachinePrivileges('user:[4026531837]', status(all))).toBe(true);
    // `docker run` without a user namespace.
    expect(hasMachinePrivileges('user:[4026531837]', status('00000000a80425fb'))).toBe(false);
    expect(hasMachinePrivileges('user:[4026531837]', status('000001ffffdfffff'))).toBe(false);
    expect(hasMachinePrivileges('user:[4026531837]', status('0000000000200000'))).toBe(true);
    // One that has all users under their own numbers.
    expect(hasMachinePrivileges('user:[4026532178]', status(all))).toBe(false);
    expect(hasMachinePrivileges('user:[4026531837]', 'Name:\tlamina\n')).toBe(false);
  });
});
