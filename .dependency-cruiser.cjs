/**
 * The direction of dependencies, lowest first: a room may use the rooms of the rows above its own, and of its own row
 * only what `siblings` names. A directory under src/ that is not in the table is an error: give it its place here.
 */
const rows = [
  ['base'],
  ['platform', 'manifest', 'changeset'],
  ['store', 'mount', 'journal', 'records'],
  ['sandbox', 'package', 'transaction', 'image'],
  ['capture'],
  ['replay'],
  ['update'],
  ['history', 'verify', 'containers', 'takeover', 'snapshots'],
  ['data'],
  ['inbox', 'provenance', 'archive', 'runtime', 'channel'],
  ['fleet'],
  ['agent'],
  ['app'],
  ['http', 'snapshotter'],
  ['cli'],
];
const siblings = { mount: ['store'] };
/** Rows above that a room must do without: what services one container does not decide what is published. */
const without = { capture: ['transaction'], replay: ['transaction'] };
/** Rooms that only parse, call app and print: of the store and all that works on it they know what app gives them. */
const below = ['base', 'platform', 'data', 'app'];
const fronts = { cli: [...below, 'http', 'snapshotter'], http: below, snapshotter: below };
/** Rooms that others enter by their index.ts only. */
const closed = [
  ...['journal', 'sandbox', 'package', 'image', 'capture', 'replay', 'update'],
  ...['records', 'containers', 'data', 'inbox', 'provenance', 'takeover', 'archive', 'runtime', 'channel', 'fleet'],
  ...['agent', 'http', 'snapshots', 'snapshotter'],
];
/** Rooms that compute and do no I/O. */
const pure = ['manifest', 'changeset', 'records'];

const rooms = rows.flat();
const src = (names) => `^src/(${names.join('|')})/`;

const layering = rows.flatMap((row, index) =>
  row.map((room) => {
    const allowedBelow = fronts[room] ?? [...rows.slice(0, index).flat(), ...(siblings[room] ?? [])];
    const allowed = [...allowedBelow, room].filter(
      (name) => !(pure.includes(room) && name === 'platform') && !(without[room] ?? []).includes(name),
    );
    return {
      name: `layering-${room}`,
      comment: `src/${room} may import only: ${allowed.join(', ')}`,
      severity: 'error',
      from: { path: src([room]) },
      to: { path: '^src/', pathNot: src(allowed) },
    };
  }),
);

const entrances = closed.map((room) => ({
  name: `entrance-${room}`,
  comment: `other rooms import src/${room}/index.ts, not its files`,
  severity: 'error',
  from: { path: '^src/', pathNot: src([room]) },
  to: { path: src([room]), pathNot: `^src/${room}/index\\.ts$` },
}));

/** The page, lowest first: a view uses no other view. */
const pageRows = [['base'], ['api'], ['parts'], ['graph', 'containers', 'updates', 'fleet', 'activity']];
const pageLayering = pageRows.flatMap((row, index) =>
  row.map((room) => ({
    name: `page-layering-${room}`,
    comment: `page/${room} may import only the rooms below it`,
    severity: 'error',
    from: { path: `^page/${room}/` },
    to: { path: '^page/', pathNot: `^page/(${[...pageRows.slice(0, index).flat(), room].join('|')})/` },
  })),
);

module.exports = {
  forbidden: [
    ...layering,
    ...entrances,
    {
      name: 'known-rooms',
      comment: 'a directory under src/ must have its place in the table of .dependency-cruiser.cjs',
      severity: 'error',
      from: { path: '^src/', pathNot: src(rooms) },
      to: {},
    },
    {
      name: 'pure-rooms',
      comment: 'manifest, changeset and the like are pure: no I/O (crypto: hashes; zlib: archives in memory)',
      severity: 'error',
      from: { path: src(pure) },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(buffer|util|assert|path|crypto|zlib)$' },
    },
    {
      name: 'page',
      comment:
        'the page runs in a browser: of the program it knows types of documents, and pure texts of base and data',
      severity: 'error',
      from: { path: '^page/' },
      to: {
        path: '^src/',
        pathNot: '^src/(base/units|data/because-text)\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'page-stays-in-the-browser',
      severity: 'error',
      from: { path: '^page/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'nobody-uses-the-page',
      comment: 'scripts/bundle.mjs makes files of it, which the server sends',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^page/' },
    },
    ...pageLayering,
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-test-in-src', severity: 'error', from: { path: '^src/' }, to: { path: '^test/' } },
    { name: 'not-resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.json', '.css'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
