import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOpen, msUntilOpen, parseWindow } from '../../../src/agent/window.js';

/** Local time: 7 March 2026 is a Saturday. */
const at = (day: number, time: string) => {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return new Date(2026, 2, day, hours, minutes);
};
const open = (text: string, day: number, time: string) => isOpen([parseWindow(text)], at(day, time));

describe('a maintenance window', () => {
  it('is open on its day from its first minute to before its last', () => {
    expect([
      open('Sat 02:00-04:00', 7, '01:59'),
      open('Sat 02:00-04:00', 7, '02:00'),
      open('Sat 02:00-04:00', 7, '03:59'),
      open('Sat 02:00-04:00', 7, '04:00'),
      open('Sat 02:00-04:00', 8, '03:00'),
    ]).toEqual([false, true, true, false, false]);
  });

  it('may be of every day, of several, of a range over the end of the week, and over midnight', () => {
    expect(open('02:00-04:00', 10, '02:30')).toBe(true);
    expect([6, 7, 8, 9, 10].map((day) => open('Sat,mon 10:00-11:00', day, '10:30'))).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
    expect([5, 6, 7, 8, 9, 10].map((day) => open('Fri-Mon 10:00-11:00', day, '10:30'))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
    expect([
      open('Sat 22:00-02:00', 7, '23:00'),
      open('Sat 22:00-02:00', 8, '01:59'),
      open('Sat 22:00-02:00', 8, '02:00'),
      open('Sat 22:00-02:00', 7, '01:00'),
      open('Sat 22:00-24:00', 7, '23:59'),
    ]).toEqual([true, true, false, false, true]);
  });

  it('says how long it is until it opens, to the minute', () => {
    const window = [parseWindow('Sat 02:00-04:00')];
    expect(msUntilOpen(window, at(7, '01:00'))).toBe(3_600_000);
    expect(msUntilOpen(window, at(7, '03:00'))).toBe(0);
    expect(msUntilOpen(window, at(7, '04:00'))).toBe(7 * 86_400_000 - 2 * 3_600_000);
    expect(msUntilOpen([], at(7, '04:00'))).toBe(0);
  });

  it('is open after the time that it says, and closed until then', () => {
    const clock = fc.integer({ min: 0, max: 1439 });
    const text = (minute: number) => `${String(Math.floor(minute / 60))}:${String(minute % 60).padStart(2, '0')}`;
    const moment = fc.date({ min: new Date(2026, 0, 1), max: new Date(2027, 0, 1), noInvalidDate: true });
    const day = fc.constantFrom('', 'Mon ', 'Wed,Sat ', 'Fri-Sun ');
    fc.assert(
      fc.property(day, clock, clock, moment, (days, from, to, now) => {
        fc.pre(from !== to);
        const windows = [parseWindow(`${days}${text(from)}-${text(to)}`)];
        const wait = msUntilOpen(windows, now);
        if (wait === 8 * 86_400_000) return;
        expect(isOpen(windows, new Date(now.getTime() + wait))).toBe(true);
        if (wait > 60_000) expect(isOpen(windows, new Date(now.getTime() + wait - 60_000))).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    '',
    'Sat',
    'Sat 2-4',
    'Xyz 02:00-04:00',
    '02:00-02:00',
    '25:00-26:00',
    '24:00-02:00',
    '02:60-03:00',
    'Sat- 1:00-2:00',
  ])('refuses %j', (text) => {
    expect(() => parseWindow(text)).toThrow(expect.objectContaining({ code: 'BAD_WINDOW', exitCode: 2 }));
  });
});
