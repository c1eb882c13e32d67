import { describe, expect, it } from 'vitest';
import { formatted } from '../../../src/cli/template.js';

const fields = ['name', 'behind', 'mountpoint'];
const rows = [
  { name: 'web', behind: ['a', 'b'], mountpoint: null },
  { name: 'database', behind: [], mountpoint: '/mnt/\x1b[31m' },
];

describe('--format', () => {
  it('gives a line for each', () => {
    expect(formatted('{{.name}}\\t{{ .behind }}!', fields, rows)).toBe('web\ta, b!\ndatabase\t!');
    expect(formatted('plain', fields, rows)).toBe('plain\nplain');
    expect(formatted('{{.name}}', fields, [])).toBe('');
  });

  it('gives JSON of a field or of all', () => {
    expect(formatted('{{json .behind}}', fields, rows)).toBe('["a","b"]\n[]');
    expect(formatted('{{json .}}', fields, rows.slice(0, 1))).toBe(
      '{"name":"web","behind":["a","b"],"mountpoint":null}',
    );
  });

  it('lines columns up after table', () => {
    expect(formatted('table {{.name}}\\t{{.behind}}', fields, rows)).toBe('NAME      BEHIND\nweb       a, b\ndatabase');
  });

  it('lines them up by what a terminal shows: wide characters, marks', () => {
    const wide = ['/mnt/\u6f22\u5b57', '/mnt/e\u0301', '/mnt/\u{1f600}', '/mnt'].map((mountpoint) => ({
      name: 'x',
      mountpoint,
    }));
    expect(formatted('table {{.mountpoint}}\\t{{.name}}', fields, wide).split('\n')).toEqual([
      'MOUNTPOINT  NAME',
      '/mnt/\u6f22\u5b57   x',
      '/mnt/e\u0301      x',
      '/mnt/\u{1f600}     x',
      '/mnt        x',
    ]);
  });

  it('shows nothing that a terminal would obey', () => {
    expect(formatted('{{.mountpoint}}', fields, rows)).not.toContain('\x1b');
  });

  it.each(['{{.none}}', '{{name}}', '{{range .}}', '{{.}}', '{{json .none}}', '{{.constructor}}'])(
    'refuses %s',
    (text) => {
      expect(() => formatted(text, fields, rows)).toThrow(/is not a field/);
    },
  );
});
