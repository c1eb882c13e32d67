import { chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complete } from '../../../src/cli/completion/complete.js';
import { storeNames } from '../../../src/app/store-names.js';
import { makeProgram } from '../../../src/cli/program.js';
import { isRoot, run } from '../../support/lamina.js';

const program = makeProgram('here');
const known = { containers: ['db', 'web'], bases: ['debian'], updates: ['fix', 'two'] };

function typed(line: string) {
  const stores: (string | undefined)[] = [];
  const { candidates, files } = complete(program, line.split(' ').slice(1), (store) => {
    stores.push(store);
    return known;
  });
  return { words: candidates.map(({ word }) => word), files, stores };
}

describe('completion', () => {
  it.each<[string, string[]]>([
    ['lamina up', ['update']],
    ['lamina update c', ['commit', 'catch-up']],
    ['lamina help update c', ['commit', 'catch-up']],
    ['lamina update help c', ['commit', 'catch-up']],
    ['lamina --json displaced r', ['restore']],
    ['lamina update apply --on', ['--on-failure']],
    ['lamina update apply --on-failure ', ['abort', 'skip']],
    ['lamina update apply --on-failure=s', ['--on-failure=skip']],
    ['lamina update apply --on-failure = s', ['skip']],
    ['lamina update apply --on-failure =', ['abort', 'skip']],
    ['lamina completion ', ['bash', 'zsh', 'fish']],
  ])('of "%s" needs no store', (line, words) => {
    expect(typed(line)).toEqual({ words, files: false, stores: [] });
  });

  it.each<[string, string[]]>([
    ['lamina run ', ['db', 'web']],
    ['lamina run --memory 2g w', ['web']],
    ['lamina explain ', ['db', 'web']],
    ['lamina update catch-up web ', ['db', 'web']],
    ['lamina update apply ', ['debian']],
    ['lamina update apply debian ./fix --container ', ['db', 'web']],
    ['lamina create new --base ', ['debian']],
    ['lamina base remove ', ['debian']],
    ['lamina merge d', ['debian']],
    ['lamina rollback ', ['fix', 'two']],
    ['lamina log t', ['two']],
    ['lamina diff ', ['db', 'web', 'debian']],
    ['lamina diff -- d', ['db', 'debian']],
  ])('of "%s" gives names of the store', (line, words) => {
    expect(typed(line)).toEqual({ words, files: false, stores: [undefined] });
  });

  it.each<[string, string[]]>([
    ['lamina umount w', ['web']],
    ['lamina mount web ', []],
    ['lamina update apply debian ', []],
    ['lamina base import debian ', []],
    ['lamina --store ', []],
  ])('of "%s" gives files', (line, words) => {
    expect(typed(line)).toMatchObject({ words, files: true });
  });

  it.each(['lamina run web ', 'lamina run web --', 'lamina list ', 'lamina no-such ', 'lamina update commit '])(
    'of "%s" gives nothing',
    (line) => {
      expect(typed(line)).toEqual({ words: [], files: false, stores: [] });
    },
  );

  it('asks the store that is named before or after the command', () => {
    expect(typed('lamina --store /srv/s run ').stores).toEqual(['/srv/s']);
    expect(typed('lamina run --store=/srv/s ').stores).toEqual(['/srv/s']);
    expect(typed('lamina --store = /srv/s run ').stores).toEqual(['/srv/s']);
  });

  it('offers the options of the command and of all commands, but after -- none', () => {
    expect(typed('lamina gc --').words).toEqual(['--dry-run', '--store', '--json', '--progress-fd', '--remote']);
    expect(typed('lamina verify -- --').words).toEqual([]);
  });
});

describe('the names that it offers', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'lamina-names-'));
  const none = { containers: [], bases: [], updates: [] };
  const store = (name: string, manifest?: string) => {
    const directory = join(scratch, name);
    mkdirSync(directory);
    if (manifest !== undefined) writeFileSync(join(directory, 'manifest.json'), manifest);
    return directory;
  };
  const whole = '{"containers":{"web":{},"db":{}},"bases":{"tiny":{}},"updates":{"u-1":{"name":"fix"}}}';

  beforeAll(async () => {
    await run('mkfifo', [join(store('fifo'), 'manifest.json')]);
    symlinkSync(join(store('whole', whole), 'manifest.json'), join(store('linked'), 'manifest.json'));
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true });
  });

  it('are those of the manifest', () => {
    expect(storeNames(join(scratch, 'whole'))).toEqual({
      containers: ['db', 'web'],
      bases: ['tiny'],
      updates: ['fix'],
    });
  });

  it('are none where there is no manifest of the own that is one', () => {
    expect(storeNames(join(scratch, 'missing'))).toEqual(none);
    expect(storeNames(store('empty'))).toEqual(none);
    expect(storeNames(store('broken', '{"containers":'))).toEqual(none);
    expect(storeNames(store('null', 'null'))).toEqual(none);
    expect(storeNames(join(scratch, 'fifo'))).toEqual(none);
    expect(storeNames(join(scratch, 'linked'))).toEqual(none);
  });

  it.runIf(isRoot)('are none where the manifest is that of another user', () => {
    const theirs = store('theirs', whole);
    expect(storeNames(theirs).bases).toEqual(['tiny']);
    chownSync(join(theirs, 'manifest.json'), 65534, 65534);
    expect(storeNames(theirs)).toEqual(none);
  });

  it('hold no word that a shell or a terminal would obey', () => {
    const names = store(
      'odd',
      '{"containers":{"$(reboot)":{},"\\u001b[2J":{},"-x":{},"ok":{}},"updates":{"u":{"name":7},"v":null}}',
    );
    expect(storeNames(names)).toEqual(none);
    const fewer = store(
      'fewer',
      '{"containers":{"$(reboot)":{},"\\u001b[2J":{},"-x":{},"ok":{}},"updates":{"u":{"name":7}}}',
    );
    expect(storeNames(fewer)).toEqual({ containers: ['ok'], bases: [], updates: [] });
  });
});
