import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
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

  describe('where the clocks change', () => {
    afterEach(() => {
      vi.unstubAllEnvs();
    });
    const hour = 3_600_000;
    /** How many minutes a window is open on a day and the next one. */
    const minutes = (text: string, from: string) => {
      const windows = [parseWindow(text)];
      const moments = Array.from({ length: 48 * 60 }, (_, i) => new Date(Date.parse(from) + i * 60_000));
      return moments.filter((moment) => isOpen(windows, moment)).length;
    };

    it('goes by the local time: an hour that is left out opens nothing, one that comes twice opens twice', () => {
      vi.stubEnv('TZ', 'Europe/Berlin');
      // From 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on 25 October.
      expect(new Date('2026-03-29T01:00:00Z').getHours()).toBe(3);
      expect(minutes('Sun 02:00-03:00', '2026-03-28T12:00:00Z')).toBe(0);
      expect(minutes('Sun 02:00-03:00', '2026-10-24T12:00:00Z')).toBe(120);
      expect(minutes('Sat 23:00-02:00', '2026-03-28T12:00:00Z')).toBe(180);
      expect(minutes('Sat 23:00-04:00', '2026-03-28T12:00:00Z')).toBe(240);
      expect(minutes('Sat 23:00-04:00', '2026-10-24T12:00:00Z')).toBe(360);
      // In the hour that is left out, it opens a week later, which has an hour less.
      const before = new Date('2026-03-29T00:30:00Z');
      expect(msUntilOpen([parseWindow('Sun 02:00-03:00')], before)).toBe(7 * 24 * hour - hour / 2);
      expect(msUntilOpen([parseWindow('Sun 03:00-04:00')], before)).toBe(hour / 2);
    });
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
